-- CreateTable
CREATE TABLE "Label" (
    "id" TEXT NOT NULL PRIMARY KEY,
    "workspaceId" TEXT NOT NULL,
    "environment" TEXT NOT NULL,
    "name" TEXT NOT NULL,
    "key" TEXT NOT NULL,
    "color" TEXT NOT NULL,
    "description" TEXT,
    "createdById" TEXT,
    "createdByKeyId" TEXT,
    "createdAt" DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updatedAt" DATETIME NOT NULL,
    CONSTRAINT "Label_createdById_fkey" FOREIGN KEY ("createdById") REFERENCES "User" ("id") ON DELETE SET NULL ON UPDATE CASCADE,
    CONSTRAINT "Label_createdByKeyId_fkey" FOREIGN KEY ("createdByKeyId") REFERENCES "ApiKey" ("id") ON DELETE NO ACTION ON UPDATE NO ACTION
);

-- CreateTable
CREATE TABLE "TimeEntry" (
    "id" TEXT NOT NULL PRIMARY KEY,
    "workspaceId" TEXT NOT NULL,
    "environment" TEXT NOT NULL,
    "taskId" TEXT NOT NULL,
    "userId" TEXT,
    "createdByKeyId" TEXT,
    "note" TEXT,
    "startedAt" DATETIME NOT NULL,
    "endedAt" DATETIME,
    "createdAt" DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updatedAt" DATETIME NOT NULL,
    CONSTRAINT "TimeEntry_taskId_fkey" FOREIGN KEY ("taskId") REFERENCES "Task" ("id") ON DELETE CASCADE ON UPDATE CASCADE,
    CONSTRAINT "TimeEntry_userId_fkey" FOREIGN KEY ("userId") REFERENCES "User" ("id") ON DELETE SET NULL ON UPDATE CASCADE,
    CONSTRAINT "TimeEntry_createdByKeyId_fkey" FOREIGN KEY ("createdByKeyId") REFERENCES "ApiKey" ("id") ON DELETE NO ACTION ON UPDATE NO ACTION
);

-- CreateTable
CREATE TABLE "Notification" (
    "id" TEXT NOT NULL PRIMARY KEY,
    "workspaceId" TEXT NOT NULL,
    "environment" TEXT NOT NULL,
    "userId" TEXT NOT NULL,
    "kind" TEXT NOT NULL,
    "taskId" TEXT NOT NULL,
    "senderId" TEXT,
    "readAt" DATETIME,
    "createdAt" DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP,
    CONSTRAINT "Notification_userId_fkey" FOREIGN KEY ("userId") REFERENCES "User" ("id") ON DELETE CASCADE ON UPDATE CASCADE,
    CONSTRAINT "Notification_senderId_fkey" FOREIGN KEY ("senderId") REFERENCES "User" ("id") ON DELETE SET NULL ON UPDATE CASCADE,
    CONSTRAINT "Notification_taskId_fkey" FOREIGN KEY ("taskId") REFERENCES "Task" ("id") ON DELETE CASCADE ON UPDATE CASCADE
);

-- CreateIndex
CREATE UNIQUE INDEX "Label_workspaceId_environment_key_key" ON "Label"("workspaceId", "environment", "key");

-- A label for each tag that there is.
INSERT INTO "Label" ("id", "workspaceId", "environment", "name", "key", "color", "createdAt", "updatedAt")
SELECT lower(hex(randomblob(4)) || '-' || hex(randomblob(2)) || '-4' || substr(hex(randomblob(2)), 2) || '-8' || substr(hex(randomblob(2)), 2) || '-' || hex(randomblob(6))),
    "workspaceId", "environment", MIN("name"), "key", '#6b7280', CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER), CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)
FROM "TaskTag" GROUP BY "workspaceId", "environment", "key";

-- AlterTable
ALTER TABLE "Task" ADD COLUMN "parentId" TEXT REFERENCES "Task" ("id") ON DELETE SET NULL ON UPDATE CASCADE;

-- RedefineTables
PRAGMA defer_foreign_keys=ON;
PRAGMA foreign_keys=OFF;
CREATE TABLE "new_TaskTag" (
    "workspaceId" TEXT NOT NULL,
    "environment" TEXT NOT NULL,
    "taskId" TEXT NOT NULL,
    "labelId" TEXT NOT NULL,
    "name" TEXT NOT NULL,
    "key" TEXT NOT NULL,

    PRIMARY KEY ("taskId", "key"),
    CONSTRAINT "TaskTag_taskId_fkey" FOREIGN KEY ("taskId") REFERENCES "Task" ("id") ON DELETE CASCADE ON UPDATE CASCADE,
    CONSTRAINT "TaskTag_labelId_fkey" FOREIGN KEY ("labelId") REFERENCES "Label" ("id") ON DELETE CASCADE ON UPDATE CASCADE
);
INSERT INTO "new_TaskTag" ("workspaceId", "environment", "taskId", "labelId", "name", "key")
SELECT "TaskTag"."workspaceId", "TaskTag"."environment", "taskId", "Label"."id", "TaskTag"."name", "TaskTag"."key" FROM "TaskTag"
JOIN "Label" ON "Label"."workspaceId" = "TaskTag"."workspaceId" AND "Label"."environment" = "TaskTag"."environment" AND "Label"."key" = "TaskTag"."key";
DROP TABLE "TaskTag";
ALTER TABLE "new_TaskTag" RENAME TO "TaskTag";
CREATE INDEX "TaskTag_workspaceId_environment_key_idx" ON "TaskTag"("workspaceId", "environment", "key");
CREATE INDEX "TaskTag_labelId_taskId_idx" ON "TaskTag"("labelId", "taskId");
PRAGMA foreign_keys=ON;
PRAGMA defer_foreign_keys=OFF;

-- They go with the table.
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
CREATE INDEX "Task_workspaceId_environment_projectId_position_id_idx" ON "Task"("workspaceId", "environment", "projectId", "position", "id");

-- CreateIndex
CREATE INDEX "Task_parentId_createdAt_id_idx" ON "Task"("parentId", "createdAt", "id");

-- CreateIndex
CREATE INDEX "Label_workspaceId_environment_name_id_idx" ON "Label"("workspaceId", "environment", "name", "id");

-- CreateIndex
CREATE INDEX "Label_workspaceId_environment_createdAt_id_idx" ON "Label"("workspaceId", "environment", "createdAt", "id");

-- CreateIndex
CREATE INDEX "Label_createdById_idx" ON "Label"("createdById");

-- CreateIndex
CREATE INDEX "TimeEntry_workspaceId_environment_createdAt_id_idx" ON "TimeEntry"("workspaceId", "environment", "createdAt", "id");

-- CreateIndex
CREATE INDEX "TimeEntry_workspaceId_environment_startedAt_id_idx" ON "TimeEntry"("workspaceId", "environment", "startedAt", "id");

-- CreateIndex
CREATE INDEX "TimeEntry_taskId_startedAt_id_idx" ON "TimeEntry"("taskId", "startedAt", "id");

-- CreateIndex
CREATE INDEX "TimeEntry_taskId_createdAt_id_idx" ON "TimeEntry"("taskId", "createdAt", "id");

-- CreateIndex
CREATE INDEX "TimeEntry_userId_endedAt_idx" ON "TimeEntry"("userId", "endedAt");

-- CreateIndex
CREATE INDEX "Notification_userId_createdAt_id_idx" ON "Notification"("userId", "createdAt", "id");

-- CreateIndex
CREATE INDEX "Notification_userId_readAt_idx" ON "Notification"("userId", "readAt");

-- CreateIndex
CREATE INDEX "Notification_workspaceId_environment_createdAt_id_idx" ON "Notification"("workspaceId", "environment", "createdAt", "id");

-- CreateIndex
CREATE INDEX "Notification_senderId_idx" ON "Notification"("senderId");

-- CreateIndex
CREATE INDEX "Notification_taskId_idx" ON "Notification"("taskId");
