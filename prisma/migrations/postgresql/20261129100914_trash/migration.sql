-- CreateTable
CREATE TABLE "TrashItem" (
    "id" TEXT NOT NULL,
    "workspaceId" TEXT NOT NULL,
    "environment" "Environment" NOT NULL,
    "kind" TEXT NOT NULL,
    "title" TEXT NOT NULL,
    "projectId" TEXT,
    "taskId" TEXT,
    "content" JSONB NOT NULL,
    "deletedById" TEXT,
    "deletedByKeyId" TEXT,
    "deletedAt" TIMESTAMP(3) NOT NULL,
    "expiresAt" TIMESTAMP(3) NOT NULL,

    CONSTRAINT "TrashItem_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "TrashRow" (
    "id" TEXT NOT NULL,
    "workspaceId" TEXT NOT NULL,
    "environment" "Environment" NOT NULL,
    "itemId" TEXT NOT NULL,
    "kind" TEXT NOT NULL,
    "content" JSONB NOT NULL,

    CONSTRAINT "TrashRow_pkey" PRIMARY KEY ("id")
);

-- CreateIndex
CREATE INDEX "TrashItem_workspaceId_environment_kind_deletedAt_id_idx" ON "TrashItem"("workspaceId", "environment", "kind", "deletedAt", "id");

-- CreateIndex
CREATE INDEX "TrashItem_expiresAt_idx" ON "TrashItem"("expiresAt");

-- CreateIndex
CREATE INDEX "TrashItem_taskId_idx" ON "TrashItem"("taskId");

-- CreateIndex
CREATE INDEX "TrashRow_itemId_id_idx" ON "TrashRow"("itemId", "id");

-- AddForeignKey
ALTER TABLE "TrashRow" ADD CONSTRAINT "TrashRow_itemId_fkey" FOREIGN KEY ("itemId") REFERENCES "TrashItem"("id") ON DELETE CASCADE ON UPDATE CASCADE;
