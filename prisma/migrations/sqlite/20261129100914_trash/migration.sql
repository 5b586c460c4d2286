-- CreateTable
CREATE TABLE "TrashItem" (
    "id" TEXT NOT NULL PRIMARY KEY,
    "workspaceId" TEXT NOT NULL,
    "environment" TEXT NOT NULL,
    "kind" TEXT NOT NULL,
    "title" TEXT NOT NULL,
    "projectId" TEXT,
    "taskId" TEXT,
    "content" JSONB NOT NULL,
    "deletedById" TEXT,
    "deletedByKeyId" TEXT,
    "deletedAt" DATETIME NOT NULL,
    "expiresAt" DATETIME NOT NULL
);

-- CreateTable
CREATE TABLE "TrashRow" (
    "id" TEXT NOT NULL PRIMARY KEY,
    "workspaceId" TEXT NOT NULL,
    "environment" TEXT NOT NULL,
    "itemId" TEXT NOT NULL,
    "kind" TEXT NOT NULL,
    "content" JSONB NOT NULL,
    CONSTRAINT "TrashRow_itemId_fkey" FOREIGN KEY ("itemId") REFERENCES "TrashItem" ("id") ON DELETE CASCADE ON UPDATE CASCADE
);

-- CreateIndex
CREATE INDEX "TrashItem_workspaceId_environment_kind_deletedAt_id_idx" ON "TrashItem"("workspaceId", "environment", "kind", "deletedAt", "id");

-- CreateIndex
CREATE INDEX "TrashItem_expiresAt_idx" ON "TrashItem"("expiresAt");

-- CreateIndex
CREATE INDEX "TrashItem_taskId_idx" ON "TrashItem"("taskId");

-- CreateIndex
CREATE INDEX "TrashRow_itemId_id_idx" ON "TrashRow"("itemId", "id");
