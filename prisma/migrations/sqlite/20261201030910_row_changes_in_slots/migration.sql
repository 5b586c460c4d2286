-- Tasks are counted, and changes of rows noted, by one trigger and in one row; on PostgreSQL in one of several.

DROP TRIGGER "Task_insert_noted";
DROP TRIGGER "Task_update_noted";
DROP TRIGGER "Task_delete_noted";
DROP TRIGGER "Project_insert_noted";
DROP TRIGGER "Project_update_noted";
DROP TRIGGER "Project_delete_noted";
DROP TRIGGER "User_insert_noted";
DROP TRIGGER "User_update_noted";
DROP TRIGGER "User_delete_noted";
DROP TRIGGER "TaskTag_insert_noted";
DROP TRIGGER "TaskTag_update_noted";
DROP TRIGGER "TaskTag_delete_noted";
DROP TRIGGER "State_insert_noted";
DROP TRIGGER "State_update_noted";
DROP TRIGGER "State_delete_noted";
DROP TRIGGER "Task_counted";
DROP TRIGGER "Task_uncounted";

-- AlterTable
ALTER TABLE "TaskCount" ADD COLUMN "changes" BIGINT NOT NULL DEFAULT 0;

INSERT INTO "TaskCount" ("workspaceId", "environment", "changes") SELECT "workspaceId", "environment", "changes" FROM "RowChange" WHERE true
ON CONFLICT ("workspaceId", "environment", "slot") DO UPDATE SET "changes" = excluded."changes";

-- DropTable
DROP TABLE "RowChange";

-- Whoever writes, by whatever way, and whichever row: cascades of foreign keys are written too.

CREATE TRIGGER "Task_insert_noted" AFTER INSERT ON "Task"
BEGIN
    INSERT INTO "TaskCount" ("workspaceId", "environment", "tasks", "changes") VALUES (NEW."workspaceId", NEW."environment", 1, 1)
    ON CONFLICT ("workspaceId", "environment", "slot") DO UPDATE SET "tasks" = "tasks" + 1, "changes" = "changes" + 1;
END;

CREATE TRIGGER "Task_update_noted" AFTER UPDATE ON "Task"
BEGIN
    INSERT INTO "TaskCount" ("workspaceId", "environment", "changes") VALUES (NEW."workspaceId", NEW."environment", 1)
    ON CONFLICT ("workspaceId", "environment", "slot") DO UPDATE SET "changes" = "changes" + 1;
END;

CREATE TRIGGER "Task_delete_noted" AFTER DELETE ON "Task"
BEGIN
    UPDATE "TaskCount" SET "tasks" = "tasks" - 1, "changes" = "changes" + 1
    WHERE "workspaceId" = OLD."workspaceId" AND "environment" = OLD."environment" AND "slot" = 0;
END;

CREATE TRIGGER "Project_insert_noted" AFTER INSERT ON "Project"
BEGIN
    INSERT INTO "TaskCount" ("workspaceId", "environment", "changes") VALUES (NEW."workspaceId", NEW."environment", 1)
    ON CONFLICT ("workspaceId", "environment", "slot") DO UPDATE SET "changes" = "changes" + 1;
END;

CREATE TRIGGER "Project_update_noted" AFTER UPDATE ON "Project"
BEGIN
    INSERT INTO "TaskCount" ("workspaceId", "environment", "changes") VALUES (NEW."workspaceId", NEW."environment", 1)
    ON CONFLICT ("workspaceId", "environment", "slot") DO UPDATE SET "changes" = "changes" + 1;
END;

CREATE TRIGGER "Project_delete_noted" AFTER DELETE ON "Project"
BEGIN
    INSERT INTO "TaskCount" ("workspaceId", "environment", "changes") VALUES (OLD."workspaceId", OLD."environment", 1)
    ON CONFLICT ("workspaceId", "environment", "slot") DO UPDATE SET "changes" = "changes" + 1;
END;

CREATE TRIGGER "User_insert_noted" AFTER INSERT ON "User"
BEGIN
    INSERT INTO "TaskCount" ("workspaceId", "environment", "changes") VALUES (NEW."workspaceId", NEW."environment", 1)
    ON CONFLICT ("workspaceId", "environment", "slot") DO UPDATE SET "changes" = "changes" + 1;
END;

CREATE TRIGGER "User_update_noted" AFTER UPDATE ON "User"
BEGIN
    INSERT INTO "TaskCount" ("workspaceId", "environment", "changes") VALUES (NEW."workspaceId", NEW."environment", 1)
    ON CONFLICT ("workspaceId", "environment", "slot") DO UPDATE SET "changes" = "changes" + 1;
END;

CREATE TRIGGER "User_delete_noted" AFTER DELETE ON "User"
BEGIN
    INSERT INTO "TaskCount" ("workspaceId", "environment", "changes") VALUES (OLD."workspaceId", OLD."environment", 1)
    ON CONFLICT ("workspaceId", "environment", "slot") DO UPDATE SET "changes" = "changes" + 1;
END;

CREATE TRIGGER "TaskTag_insert_noted" AFTER INSERT ON "TaskTag"
BEGIN
    INSERT INTO "TaskCount" ("workspaceId", "environment", "changes") VALUES (NEW."workspaceId", NEW."environment", 1)
    ON CONFLICT ("workspaceId", "environment", "slot") DO UPDATE SET "changes" = "changes" + 1;
END;

CREATE TRIGGER "TaskTag_update_noted" AFTER UPDATE ON "TaskTag"
BEGIN
    INSERT INTO "TaskCount" ("workspaceId", "environment", "changes") VALUES (NEW."workspaceId", NEW."environment", 1)
    ON CONFLICT ("workspaceId", "environment", "slot") DO UPDATE SET "changes" = "changes" + 1;
END;

CREATE TRIGGER "TaskTag_delete_noted" AFTER DELETE ON "TaskTag"
BEGIN
    INSERT INTO "TaskCount" ("workspaceId", "environment", "changes") VALUES (OLD."workspaceId", OLD."environment", 1)
    ON CONFLICT ("workspaceId", "environment", "slot") DO UPDATE SET "changes" = "changes" + 1;
END;

CREATE TRIGGER "State_insert_noted" AFTER INSERT ON "State"
BEGIN
    INSERT INTO "TaskCount" ("workspaceId", "environment", "changes") VALUES (NEW."workspaceId", NEW."environment", 1)
    ON CONFLICT ("workspaceId", "environment", "slot") DO UPDATE SET "changes" = "changes" + 1;
END;

CREATE TRIGGER "State_update_noted" AFTER UPDATE ON "State"
BEGIN
    INSERT INTO "TaskCount" ("workspaceId", "environment", "changes") VALUES (NEW."workspaceId", NEW."environment", 1)
    ON CONFLICT ("workspaceId", "environment", "slot") DO UPDATE SET "changes" = "changes" + 1;
END;

CREATE TRIGGER "State_delete_noted" AFTER DELETE ON "State"
BEGIN
    INSERT INTO "TaskCount" ("workspaceId", "environment", "changes") VALUES (OLD."workspaceId", OLD."environment", 1)
    ON CONFLICT ("workspaceId", "environment", "slot") DO UPDATE SET "changes" = "changes" + 1;
END;
