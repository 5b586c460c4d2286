-- A slot for those who write at once on PostgreSQL; here there is one writer, and one slot.

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

CREATE TABLE "new_RowChange" (
    "workspaceId" TEXT NOT NULL,
    "environment" TEXT NOT NULL,
    "slot" INTEGER NOT NULL DEFAULT 0,
    "changes" BIGINT NOT NULL DEFAULT 0,

    PRIMARY KEY ("workspaceId", "environment", "slot")
);
INSERT INTO "new_RowChange" ("changes", "environment", "workspaceId") SELECT "changes", "environment", "workspaceId" FROM "RowChange";
DROP TABLE "RowChange";
ALTER TABLE "new_RowChange" RENAME TO "RowChange";

CREATE TRIGGER "Task_insert_noted" AFTER INSERT ON "Task"
BEGIN
    INSERT INTO "RowChange" ("workspaceId", "environment", "changes") VALUES (NEW."workspaceId", NEW."environment", 1)
    ON CONFLICT ("workspaceId", "environment", "slot") DO UPDATE SET "changes" = "changes" + 1;
END;

CREATE TRIGGER "Task_update_noted" AFTER UPDATE ON "Task"
BEGIN
    INSERT INTO "RowChange" ("workspaceId", "environment", "changes") VALUES (NEW."workspaceId", NEW."environment", 1)
    ON CONFLICT ("workspaceId", "environment", "slot") DO UPDATE SET "changes" = "changes" + 1;
END;

CREATE TRIGGER "Task_delete_noted" AFTER DELETE ON "Task"
BEGIN
    INSERT INTO "RowChange" ("workspaceId", "environment", "changes") VALUES (OLD."workspaceId", OLD."environment", 1)
    ON CONFLICT ("workspaceId", "environment", "slot") DO UPDATE SET "changes" = "changes" + 1;
END;

CREATE TRIGGER "Project_insert_noted" AFTER INSERT ON "Project"
BEGIN
    INSERT INTO "RowChange" ("workspaceId", "environment", "changes") VALUES (NEW."workspaceId", NEW."environment", 1)
    ON CONFLICT ("workspaceId", "environment", "slot") DO UPDATE SET "changes" = "changes" + 1;
END;

CREATE TRIGGER "Project_update_noted" AFTER UPDATE ON "Project"
BEGIN
    INSERT INTO "RowChange" ("workspaceId", "environment", "changes") VALUES (NEW."workspaceId", NEW."environment", 1)
    ON CONFLICT ("workspaceId", "environment", "slot") DO UPDATE SET "changes" = "changes" + 1;
END;

CREATE TRIGGER "Project_delete_noted" AFTER DELETE ON "Project"
BEGIN
    INSERT INTO "RowChange" ("workspaceId", "environment", "changes") VALUES (OLD."workspaceId", OLD."environment", 1)
    ON CONFLICT ("workspaceId", "environment", "slot") DO UPDATE SET "changes" = "changes" + 1;
END;

CREATE TRIGGER "User_insert_noted" AFTER INSERT ON "User"
BEGIN
    INSERT INTO "RowChange" ("workspaceId", "environment", "changes") VALUES (NEW."workspaceId", NEW."environment", 1)
    ON CONFLICT ("workspaceId", "environment", "slot") DO UPDATE SET "changes" = "changes" + 1;
END;

CREATE TRIGGER "User_update_noted" AFTER UPDATE ON "User"
BEGIN
    INSERT INTO "RowChange" ("workspaceId", "environment", "changes") VALUES (NEW."workspaceId", NEW."environment", 1)
    ON CONFLICT ("workspaceId", "environment", "slot") DO UPDATE SET "changes" = "changes" + 1;
END;

CREATE TRIGGER "User_delete_noted" AFTER DELETE ON "User"
BEGIN
    INSERT INTO "RowChange" ("workspaceId", "environment", "changes") VALUES (OLD."workspaceId", OLD."environment", 1)
    ON CONFLICT ("workspaceId", "environment", "slot") DO UPDATE SET "changes" = "changes" + 1;
END;

CREATE TRIGGER "TaskTag_insert_noted" AFTER INSERT ON "TaskTag"
BEGIN
    INSERT INTO "RowChange" ("workspaceId", "environment", "changes") VALUES (NEW."workspaceId", NEW."environment", 1)
    ON CONFLICT ("workspaceId", "environment", "slot") DO UPDATE SET "changes" = "changes" + 1;
END;

CREATE TRIGGER "TaskTag_update_noted" AFTER UPDATE ON "TaskTag"
BEGIN
    INSERT INTO "RowChange" ("workspaceId", "environment", "changes") VALUES (NEW."workspaceId", NEW."environment", 1)
    ON CONFLICT ("workspaceId", "environment", "slot") DO UPDATE SET "changes" = "changes" + 1;
END;

CREATE TRIGGER "TaskTag_delete_noted" AFTER DELETE ON "TaskTag"
BEGIN
    INSERT INTO "RowChange" ("workspaceId", "environment", "changes") VALUES (OLD."workspaceId", OLD."environment", 1)
    ON CONFLICT ("workspaceId", "environment", "slot") DO UPDATE SET "changes" = "changes" + 1;
END;

CREATE TRIGGER "State_insert_noted" AFTER INSERT ON "State"
BEGIN
    INSERT INTO "RowChange" ("workspaceId", "environment", "changes") VALUES (NEW."workspaceId", NEW."environment", 1)
    ON CONFLICT ("workspaceId", "environment", "slot") DO UPDATE SET "changes" = "changes" + 1;
END;

CREATE TRIGGER "State_update_noted" AFTER UPDATE ON "State"
BEGIN
    INSERT INTO "RowChange" ("workspaceId", "environment", "changes") VALUES (NEW."workspaceId", NEW."environment", 1)
    ON CONFLICT ("workspaceId", "environment", "slot") DO UPDATE SET "changes" = "changes" + 1;
END;

CREATE TRIGGER "State_delete_noted" AFTER DELETE ON "State"
BEGIN
    INSERT INTO "RowChange" ("workspaceId", "environment", "changes") VALUES (OLD."workspaceId", OLD."environment", 1)
    ON CONFLICT ("workspaceId", "environment", "slot") DO UPDATE SET "changes" = "changes" + 1;
END;
