-- CreateTable
CREATE TABLE "RowChange" (
    "workspaceId" TEXT NOT NULL,
    "environment" TEXT NOT NULL,
    "changes" INTEGER NOT NULL DEFAULT 0,

    PRIMARY KEY ("workspaceId", "environment")
);

-- Whoever writes, by whatever way, and whichever row: cascades of foreign keys are written too.

CREATE TRIGGER "Task_insert_noted" AFTER INSERT ON "Task"
BEGIN
    INSERT INTO "RowChange" ("workspaceId", "environment", "changes") VALUES (NEW."workspaceId", NEW."environment", 1)
    ON CONFLICT ("workspaceId", "environment") DO UPDATE SET "changes" = "changes" + 1;
END;

CREATE TRIGGER "Task_update_noted" AFTER UPDATE ON "Task"
BEGIN
    INSERT INTO "RowChange" ("workspaceId", "environment", "changes") VALUES (NEW."workspaceId", NEW."environment", 1)
    ON CONFLICT ("workspaceId", "environment") DO UPDATE SET "changes" = "changes" + 1;
END;

CREATE TRIGGER "Task_delete_noted" AFTER DELETE ON "Task"
BEGIN
    INSERT INTO "RowChange" ("workspaceId", "environment", "changes") VALUES (OLD."workspaceId", OLD."environment", 1)
    ON CONFLICT ("workspaceId", "environment") DO UPDATE SET "changes" = "changes" + 1;
END;

CREATE TRIGGER "Project_insert_noted" AFTER INSERT ON "Project"
BEGIN
    INSERT INTO "RowChange" ("workspaceId", "environment", "changes") VALUES (NEW."workspaceId", NEW."environment", 1)
    ON CONFLICT ("workspaceId", "environment") DO UPDATE SET "changes" = "changes" + 1;
END;

CREATE TRIGGER "Project_update_noted" AFTER UPDATE ON "Project"
BEGIN
    INSERT INTO "RowChange" ("workspaceId", "environment", "changes") VALUES (NEW."workspaceId", NEW."environment", 1)
    ON CONFLICT ("workspaceId", "environment") DO UPDATE SET "changes" = "changes" + 1;
END;

CREATE TRIGGER "Project_delete_noted" AFTER DELETE ON "Project"
BEGIN
    INSERT INTO "RowChange" ("workspaceId", "environment", "changes") VALUES (OLD."workspaceId", OLD."environment", 1)
    ON CONFLICT ("workspaceId", "environment") DO UPDATE SET "changes" = "changes" + 1;
END;

CREATE TRIGGER "User_insert_noted" AFTER INSERT ON "User"
BEGIN
    INSERT INTO "RowChange" ("workspaceId", "environment", "changes") VALUES (NEW."workspaceId", NEW."environment", 1)
    ON CONFLICT ("workspaceId", "environment") DO UPDATE SET "changes" = "changes" + 1;
END;

CREATE TRIGGER "User_update_noted" AFTER UPDATE ON "User"
BEGIN
    INSERT INTO "RowChange" ("workspaceId", "environment", "changes") VALUES (NEW."workspaceId", NEW."environment", 1)
    ON CONFLICT ("workspaceId", "environment") DO UPDATE SET "changes" = "changes" + 1;
END;

CREATE TRIGGER "User_delete_noted" AFTER DELETE ON "User"
BEGIN
    INSERT INTO "RowChange" ("workspaceId", "environment", "changes") VALUES (OLD."workspaceId", OLD."environment", 1)
    ON CONFLICT ("workspaceId", "environment") DO UPDATE SET "changes" = "changes" + 1;
END;

CREATE TRIGGER "TaskTag_insert_noted" AFTER INSERT ON "TaskTag"
BEGIN
    INSERT INTO "RowChange" ("workspaceId", "environment", "changes") VALUES (NEW."workspaceId", NEW."environment", 1)
    ON CONFLICT ("workspaceId", "environment") DO UPDATE SET "changes" = "changes" + 1;
END;

CREATE TRIGGER "TaskTag_update_noted" AFTER UPDATE ON "TaskTag"
BEGIN
    INSERT INTO "RowChange" ("workspaceId", "environment", "changes") VALUES (NEW."workspaceId", NEW."environment", 1)
    ON CONFLICT ("workspaceId", "environment") DO UPDATE SET "changes" = "changes" + 1;
END;

CREATE TRIGGER "TaskTag_delete_noted" AFTER DELETE ON "TaskTag"
BEGIN
    INSERT INTO "RowChange" ("workspaceId", "environment", "changes") VALUES (OLD."workspaceId", OLD."environment", 1)
    ON CONFLICT ("workspaceId", "environment") DO UPDATE SET "changes" = "changes" + 1;
END;

-- CreateIndex
CREATE INDEX "Project_workspaceId_environment_archivedAt_createdAt_id_idx" ON "Project"("workspaceId", "environment", "archivedAt", "createdAt", "id");
