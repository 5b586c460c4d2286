-- How common a word is, the planner tells from samples of the texts; of a hundred, as it keeps by itself, one that has the word by
-- chance makes a rare one common, and a million texts are read in the order of a list.
ALTER TABLE "Task" ALTER COLUMN "title" SET STATISTICS 1000, ALTER COLUMN "description" SET STATISTICS 1000;
ALTER TABLE "Comment" ALTER COLUMN "body" SET STATISTICS 1000;

ANALYZE "Task" ("title", "description");
ANALYZE "Comment" ("body");
