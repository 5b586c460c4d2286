-- CreateTable
CREATE TABLE "State" (
    "id" TEXT NOT NULL PRIMARY KEY,
    "workspaceId" TEXT NOT NULL,
    "environment" TEXT NOT NULL,
    "projectId" TEXT NOT NULL,
    "name" TEXT NOT NULL,
    "slug" TEXT NOT NULL,
    "color" TEXT,
    "icon" TEXT,
    "order" INTEGER NOT NULL,
    "category" INTEGER NOT NULL,
    "createdAt" DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updatedAt" DATETIME NOT NULL,
    CONSTRAINT "State_projectId_fkey" FOREIGN KEY ("projectId") REFERENCES "Project" ("id") ON DELETE CASCADE ON UPDATE CASCADE
);

-- CreateIndex
CREATE INDEX "State_projectId_order_id_idx" ON "State"("projectId", "order", "id");

-- CreateIndex
CREATE INDEX "State_workspaceId_environment_createdAt_id_idx" ON "State"("workspaceId", "environment", "createdAt", "id");

-- CreateIndex
CREATE UNIQUE INDEX "State_projectId_slug_key" ON "State"("projectId", "slug");

-- Each project has the seven statuses for its states.
WITH "default" ("category", "name", "slug", "color") AS (VALUES
    (0, 'Backlog', 'backlog', '#9ca3af'),
    (1, 'Triage', 'triage', '#f59e0b'),
    (2, 'To Do', 'to-do', '#64748b'),
    (3, 'In Progress', 'in-progress', '#3b82f6'),
    (4, 'In Review', 'in-review', '#8b5cf6'),
    (5, 'Done', 'done', '#22c55e'),
    (6, 'Canceled', 'canceled', '#ef4444')
)
INSERT INTO "State" ("id", "workspaceId", "environment", "projectId", "name", "slug", "color", "order", "category", "createdAt", "updatedAt")
SELECT lower(hex(randomblob(4)) || '-' || hex(randomblob(2)) || '-4' || substr(hex(randomblob(2)), 2) || '-8' || substr(hex(randomblob(2)), 2) || '-' || hex(randomblob(6))),
    "Project"."workspaceId", "Project"."environment", "Project"."id", "default"."name", "default"."slug", "default"."color", "default"."category", "default"."category", CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER), CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)
FROM "Project" CROSS JOIN "default";

-- AlterTable
ALTER TABLE "Task" ADD COLUMN "stateId" TEXT REFERENCES "State" ("id") ON DELETE SET NULL ON UPDATE CASCADE;

UPDATE "Task" SET "stateId" = (
    SELECT "State"."id" FROM "State" WHERE "State"."projectId" = "Task"."projectId" AND "State"."category" = "Task"."status"
) WHERE "projectId" IS NOT NULL;

-- CreateIndex
CREATE INDEX "Task_stateId_position_id_idx" ON "Task"("stateId", "position", "id");

-- What is remembered of tasks and projects may show their states.
CREATE TRIGGER "State_insert_noted" AFTER INSERT ON "State"
BEGIN
    INSERT INTO "RowChange" ("workspaceId", "environment", "changes") VALUES (NEW."workspaceId", NEW."environment", 1)
    ON CONFLICT ("workspaceId", "environment") DO UPDATE SET "changes" = "changes" + 1;
END;

CREATE TRIGGER "State_update_noted" AFTER UPDATE ON "State"
BEGIN
    INSERT INTO "RowChange" ("workspaceId", "environment", "changes") VALUES (NEW."workspaceId", NEW."environment", 1)
    ON CONFLICT ("workspaceId", "environment") DO UPDATE SET "changes" = "changes" + 1;
END;

CREATE TRIGGER "State_delete_noted" AFTER DELETE ON "State"
BEGIN
    INSERT INTO "RowChange" ("workspaceId", "environment", "changes") VALUES (OLD."workspaceId", OLD."environment", 1)
    ON CONFLICT ("workspaceId", "environment") DO UPDATE SET "changes" = "changes" + 1;
END;
