-- CreateTable
CREATE TABLE "RowChange" (
    "workspaceId" TEXT NOT NULL,
    "environment" "Environment" NOT NULL,
    "changes" INTEGER NOT NULL DEFAULT 0,

    CONSTRAINT "RowChange_pkey" PRIMARY KEY ("workspaceId","environment")
);

-- CreateIndex
CREATE INDEX "Project_workspaceId_environment_archivedAt_createdAt_id_idx" ON "Project"("workspaceId", "environment", "archivedAt", "createdAt", "id");
