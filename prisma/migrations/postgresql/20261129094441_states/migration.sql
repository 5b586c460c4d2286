-- AlterTable
ALTER TABLE "Task" ADD COLUMN     "stateId" TEXT;

-- CreateTable
CREATE TABLE "State" (
    "id" TEXT NOT NULL,
    "workspaceId" TEXT NOT NULL,
    "environment" "Environment" NOT NULL,
    "projectId" TEXT NOT NULL,
    "name" TEXT NOT NULL,
    "slug" TEXT NOT NULL,
    "color" TEXT,
    "icon" TEXT,
    "order" INTEGER NOT NULL,
    "category" INTEGER NOT NULL,
    "createdAt" TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updatedAt" TIMESTAMP(3) NOT NULL,

    CONSTRAINT "State_pkey" PRIMARY KEY ("id")
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
INSERT INTO "State" ("id", "workspaceId", "environment", "projectId", "name", "slug", "color", "order", "category", "updatedAt")
SELECT gen_random_uuid()::text, "Project"."workspaceId", "Project"."environment", "Project"."id", "default"."name", "default"."slug", "default"."color", "default"."category", "default"."category", CURRENT_TIMESTAMP
FROM "Project" CROSS JOIN "default";

UPDATE "Task" SET "stateId" = "State"."id" FROM "State"
WHERE "State"."projectId" = "Task"."projectId" AND "State"."category" = "Task"."status";

-- CreateIndex
CREATE INDEX "Task_stateId_position_id_idx" ON "Task"("stateId", "position", "id");

-- AddForeignKey
ALTER TABLE "State" ADD CONSTRAINT "State_projectId_fkey" FOREIGN KEY ("projectId") REFERENCES "Project"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "Task" ADD CONSTRAINT "Task_stateId_fkey" FOREIGN KEY ("stateId") REFERENCES "State"("id") ON DELETE SET NULL ON UPDATE CASCADE;
