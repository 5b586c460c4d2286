-- DropIndex
DROP INDEX "Task_assigneeId_createdAt_id_idx";

-- DropIndex
DROP INDEX "Task_projectId_createdAt_id_idx";

-- CreateIndex
CREATE INDEX "Task_workspaceId_environment_projectId_createdAt_id_idx" ON "Task"("workspaceId", "environment", "projectId", "createdAt", "id");

-- CreateIndex
CREATE INDEX "Task_workspaceId_environment_assigneeId_createdAt_id_idx" ON "Task"("workspaceId", "environment", "assigneeId", "createdAt", "id");

-- CreateIndex
CREATE INDEX "Task_projectId_idx" ON "Task"("projectId");

-- CreateIndex
CREATE INDEX "Task_assigneeId_idx" ON "Task"("assigneeId");
