-- AlterTable
ALTER TABLE "Notification" ADD COLUMN "dueDate" DATETIME;

-- CreateIndex
CREATE INDEX "Task_dueDate_idx" ON "Task"("dueDate");

-- DropIndex
DROP INDEX "Task_workspaceId_environment_createdAt_id_idx";

-- CreateIndex
CREATE INDEX "Task_workspaceId_environment_createdAt_id_number_idx" ON "Task"("workspaceId", "environment", "createdAt", "id", "number");

-- AlterTable
ALTER TABLE "TaskTag" ADD COLUMN "taskCreatedAt" DATETIME;

UPDATE "TaskTag" SET "taskCreatedAt" = (SELECT "createdAt" FROM "Task" WHERE "id" = "taskId");

-- DropIndex
DROP INDEX "TaskTag_workspaceId_environment_key_idx";

-- CreateIndex
CREATE INDEX "TaskTag_workspaceId_environment_key_taskCreatedAt_taskId_idx" ON "TaskTag"("workspaceId", "environment", "key", "taskCreatedAt", "taskId");

-- DropIndex
DROP INDEX "TaskTag_labelId_taskId_idx";

-- CreateIndex
CREATE INDEX "TaskTag_labelId_taskCreatedAt_taskId_idx" ON "TaskTag"("labelId", "taskCreatedAt", "taskId");

-- Whoever puts a label on a task. When a task was made does not change.
CREATE TRIGGER "TaskTag_insert_dated" AFTER INSERT ON "TaskTag" WHEN NEW."taskCreatedAt" IS NULL
BEGIN
    UPDATE "TaskTag" SET "taskCreatedAt" = (SELECT "createdAt" FROM "Task" WHERE "id" = NEW."taskId")
    WHERE "taskId" = NEW."taskId" AND "key" = NEW."key";
END;

-- AlterTable
ALTER TABLE "TimeEntry" ADD COLUMN "seconds" INTEGER;

UPDATE "TimeEntry" SET "seconds" = CAST(round(("endedAt" - "startedAt") / 1000.0) AS INTEGER);

CREATE TRIGGER "TimeEntry_insert_measured" AFTER INSERT ON "TimeEntry"
BEGIN
    UPDATE "TimeEntry" SET "seconds" = CAST(round(("endedAt" - "startedAt") / 1000.0) AS INTEGER) WHERE "id" = NEW."id";
END;

CREATE TRIGGER "TimeEntry_update_measured" AFTER UPDATE OF "startedAt", "endedAt" ON "TimeEntry"
BEGIN
    UPDATE "TimeEntry" SET "seconds" = CAST(round(("endedAt" - "startedAt") / 1000.0) AS INTEGER) WHERE "id" = NEW."id";
END;

-- Texts that contain a word are found by its trigrams. An entry is numbered by its tenant and, below 2^32, within that: a tenant's
-- are a range, the newest last.
CREATE TABLE "TextTenant" (
    "number" INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    "workspaceId" TEXT NOT NULL,
    "environment" TEXT NOT NULL
);

CREATE UNIQUE INDEX "TextTenant_workspaceId_environment_key" ON "TextTenant"("workspaceId", "environment");

-- By the number of the task.
CREATE VIRTUAL TABLE "TaskText" USING fts5("title", "description", content='', contentless_delete=1, detail=none, tokenize='trigram');

-- Comments have no number of their own.
CREATE TABLE "CommentTextRow" (
    "number" INTEGER NOT NULL PRIMARY KEY,
    "commentId" TEXT NOT NULL
);

CREATE UNIQUE INDEX "CommentTextRow_commentId_key" ON "CommentTextRow"("commentId");

CREATE VIRTUAL TABLE "CommentText" USING fts5("body", content='', contentless_delete=1, detail=none, tokenize='trigram');

INSERT INTO "TextTenant" ("workspaceId", "environment") SELECT DISTINCT "workspaceId", "environment" FROM "Task" ORDER BY 1, 2;

INSERT INTO "TaskText" (rowid, "title", "description")
SELECT "TextTenant"."number" * 4294967296 + "Task"."number", "title", "description"
FROM "Task" JOIN "TextTenant" USING ("workspaceId", "environment")
ORDER BY 1;

INSERT INTO "CommentTextRow" ("number", "commentId")
SELECT "TextTenant"."number" * 4294967296 + row_number() OVER (PARTITION BY "TextTenant"."number" ORDER BY "createdAt", "id"), "id"
FROM "Comment" JOIN "TextTenant" USING ("workspaceId", "environment");

INSERT INTO "CommentText" (rowid, "body")
SELECT "number", "body" FROM "CommentTextRow" JOIN "Comment" ON "id" = "commentId"
ORDER BY 1;

CREATE TRIGGER "Task_insert_text" AFTER INSERT ON "Task"
BEGIN
    INSERT INTO "TextTenant" ("workspaceId", "environment") SELECT NEW."workspaceId", NEW."environment"
    WHERE NOT EXISTS (SELECT 1 FROM "TextTenant" WHERE "workspaceId" = NEW."workspaceId" AND "environment" = NEW."environment");
    INSERT INTO "TaskText" (rowid, "title", "description")
    SELECT "number" * 4294967296 + NEW."number", NEW."title", NEW."description"
    FROM "TextTenant" WHERE "workspaceId" = NEW."workspaceId" AND "environment" = NEW."environment";
END;

CREATE TRIGGER "Task_update_text" AFTER UPDATE OF "title", "description" ON "Task"
WHEN NEW."title" IS NOT OLD."title" OR NEW."description" IS NOT OLD."description"
BEGIN
    UPDATE "TaskText" SET "title" = NEW."title", "description" = NEW."description"
    WHERE rowid = (SELECT "number" * 4294967296 + NEW."number" FROM "TextTenant"
        WHERE "workspaceId" = NEW."workspaceId" AND "environment" = NEW."environment");
END;

CREATE TRIGGER "Task_delete_text" AFTER DELETE ON "Task"
BEGIN
    DELETE FROM "TaskText" WHERE rowid = (SELECT "number" * 4294967296 + OLD."number" FROM "TextTenant"
        WHERE "workspaceId" = OLD."workspaceId" AND "environment" = OLD."environment");
END;

CREATE TRIGGER "Comment_insert_text" AFTER INSERT ON "Comment"
BEGIN
    INSERT INTO "CommentTextRow" ("number", "commentId")
    SELECT 1 + COALESCE((SELECT max("number") FROM "CommentTextRow"
        WHERE "number" BETWEEN "TextTenant"."number" * 4294967296 AND "TextTenant"."number" * 4294967296 + 4294967295),
        "TextTenant"."number" * 4294967296), NEW."id"
    FROM "TextTenant" WHERE "workspaceId" = NEW."workspaceId" AND "environment" = NEW."environment";
    INSERT INTO "CommentText" (rowid, "body") SELECT "number", NEW."body" FROM "CommentTextRow" WHERE "commentId" = NEW."id";
END;

CREATE TRIGGER "Comment_update_text" AFTER UPDATE OF "body" ON "Comment" WHEN NEW."body" IS NOT OLD."body"
BEGIN
    UPDATE "CommentText" SET "body" = NEW."body" WHERE rowid = (SELECT "number" FROM "CommentTextRow" WHERE "commentId" = NEW."id");
END;

CREATE TRIGGER "Comment_delete_text" AFTER DELETE ON "Comment"
BEGIN
    DELETE FROM "CommentText" WHERE rowid = (SELECT "number" FROM "CommentTextRow" WHERE "commentId" = OLD."id");
    DELETE FROM "CommentTextRow" WHERE "commentId" = OLD."id";
END;
