-- CreateTable
CREATE TABLE "TaskCount" (
    "workspaceId" TEXT NOT NULL,
    "environment" TEXT NOT NULL,
    "slot" INTEGER NOT NULL DEFAULT 0,
    "tasks" INTEGER NOT NULL DEFAULT 0,

    PRIMARY KEY ("workspaceId", "environment", "slot")
);

INSERT INTO "TaskCount" ("workspaceId", "environment", "tasks")
SELECT "workspaceId", "environment", "tasks" FROM "TaskCounter";

DROP TRIGGER "Task_counted";
DROP TRIGGER "Task_uncounted";

-- AlterTable
ALTER TABLE "TaskCounter" DROP COLUMN "tasks";

CREATE TRIGGER "Task_counted" AFTER INSERT ON "Task"
BEGIN
    INSERT INTO "TaskCount" ("workspaceId", "environment", "tasks") VALUES (NEW."workspaceId", NEW."environment", 1)
    ON CONFLICT ("workspaceId", "environment", "slot") DO UPDATE SET "tasks" = "tasks" + 1;
END;

CREATE TRIGGER "Task_uncounted" AFTER DELETE ON "Task"
BEGIN
    UPDATE "TaskCount" SET "tasks" = "tasks" - 1
    WHERE "workspaceId" = OLD."workspaceId" AND "environment" = OLD."environment" AND "slot" = 0;
END;
