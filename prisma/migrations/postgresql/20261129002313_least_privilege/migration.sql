-- AlterTable
ALTER TABLE "ApiKey" ADD COLUMN     "actsAsId" TEXT,
ADD COLUMN     "grantsUntil" TIMESTAMP(3),
ADD COLUMN     "isLocked" BOOLEAN NOT NULL DEFAULT false,
ADD COLUMN     "projectIds" TEXT;

-- AlterTable
ALTER TABLE "AuditEvent" ADD COLUMN     "projectId" TEXT;

-- CreateTable
CREATE TABLE "KeyOperationSet" (
    "id" TEXT NOT NULL,
    "lineageId" TEXT NOT NULL,
    "workspaceId" TEXT NOT NULL,
    "environment" "Environment" NOT NULL,
    "version" INTEGER NOT NULL,
    "createdAt" TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "endsAt" TIMESTAMP(3),

    CONSTRAINT "KeyOperationSet_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "KeyOperation" (
    "setId" TEXT NOT NULL,
    "workspaceId" TEXT NOT NULL,
    "environment" "Environment" NOT NULL,
    "hash" TEXT NOT NULL,
    "textHash" TEXT NOT NULL,
    "name" TEXT NOT NULL,
    "text" TEXT NOT NULL,
    "scopes" TEXT NOT NULL,
    "pins" JSONB,
    "lastUsedAt" TIMESTAMP(3),

    CONSTRAINT "KeyOperation_pkey" PRIMARY KEY ("setId","hash")
);

-- CreateTable
CREATE TABLE "ScopeGrant" (
    "id" TEXT NOT NULL,
    "workspaceId" TEXT NOT NULL,
    "environment" "Environment" NOT NULL,
    "keyId" TEXT NOT NULL,
    "scopes" TEXT NOT NULL,
    "reason" TEXT NOT NULL,
    "minutes" INTEGER NOT NULL,
    "createdAt" TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "decidedAt" TIMESTAMP(3),
    "decidedByKeyId" TEXT,
    "endsAt" TIMESTAMP(3),

    CONSTRAINT "ScopeGrant_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "KeyTightening" (
    "id" TEXT NOT NULL,
    "workspaceId" TEXT NOT NULL,
    "environment" "Environment" NOT NULL,
    "keyId" TEXT NOT NULL,
    "before" JSONB NOT NULL,
    "after" JSONB NOT NULL,
    "createdAt" TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "undoneAt" TIMESTAMP(3),

    CONSTRAINT "KeyTightening_pkey" PRIMARY KEY ("id")
);

-- CreateIndex
CREATE UNIQUE INDEX "KeyOperationSet_lineageId_version_key" ON "KeyOperationSet"("lineageId", "version");

-- CreateIndex
CREATE INDEX "ScopeGrant_workspaceId_environment_createdAt_id_idx" ON "ScopeGrant"("workspaceId", "environment", "createdAt", "id");

-- CreateIndex
CREATE INDEX "ScopeGrant_keyId_endsAt_idx" ON "ScopeGrant"("keyId", "endsAt");

-- CreateIndex
CREATE INDEX "KeyTightening_keyId_createdAt_idx" ON "KeyTightening"("keyId", "createdAt");

-- CreateIndex
CREATE INDEX "ApiKey_actsAsId_idx" ON "ApiKey"("actsAsId");

-- AddForeignKey
ALTER TABLE "KeyOperation" ADD CONSTRAINT "KeyOperation_setId_fkey" FOREIGN KEY ("setId") REFERENCES "KeyOperationSet"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "ScopeGrant" ADD CONSTRAINT "ScopeGrant_keyId_fkey" FOREIGN KEY ("keyId") REFERENCES "ApiKey"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "KeyTightening" ADD CONSTRAINT "KeyTightening_keyId_fkey" FOREIGN KEY ("keyId") REFERENCES "ApiKey"("id") ON DELETE CASCADE ON UPDATE CASCADE;
