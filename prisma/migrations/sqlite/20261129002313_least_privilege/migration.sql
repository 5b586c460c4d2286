-- AlterTable
ALTER TABLE "AuditEvent" ADD COLUMN "projectId" TEXT;

-- CreateTable
CREATE TABLE "KeyOperationSet" (
    "id" TEXT NOT NULL PRIMARY KEY,
    "lineageId" TEXT NOT NULL,
    "workspaceId" TEXT NOT NULL,
    "environment" TEXT NOT NULL,
    "version" INTEGER NOT NULL,
    "createdAt" DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "endsAt" DATETIME
);

-- CreateTable
CREATE TABLE "KeyOperation" (
    "setId" TEXT NOT NULL,
    "workspaceId" TEXT NOT NULL,
    "environment" TEXT NOT NULL,
    "hash" TEXT NOT NULL,
    "textHash" TEXT NOT NULL,
    "name" TEXT NOT NULL,
    "text" TEXT NOT NULL,
    "scopes" TEXT NOT NULL,
    "pins" JSONB,
    "lastUsedAt" DATETIME,

    PRIMARY KEY ("setId", "hash"),
    CONSTRAINT "KeyOperation_setId_fkey" FOREIGN KEY ("setId") REFERENCES "KeyOperationSet" ("id") ON DELETE CASCADE ON UPDATE CASCADE
);

-- CreateTable
CREATE TABLE "ScopeGrant" (
    "id" TEXT NOT NULL PRIMARY KEY,
    "workspaceId" TEXT NOT NULL,
    "environment" TEXT NOT NULL,
    "keyId" TEXT NOT NULL,
    "scopes" TEXT NOT NULL,
    "reason" TEXT NOT NULL,
    "minutes" INTEGER NOT NULL,
    "createdAt" DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "decidedAt" DATETIME,
    "decidedByKeyId" TEXT,
    "endsAt" DATETIME,
    CONSTRAINT "ScopeGrant_keyId_fkey" FOREIGN KEY ("keyId") REFERENCES "ApiKey" ("id") ON DELETE CASCADE ON UPDATE CASCADE
);

-- CreateTable
CREATE TABLE "KeyTightening" (
    "id" TEXT NOT NULL PRIMARY KEY,
    "workspaceId" TEXT NOT NULL,
    "environment" TEXT NOT NULL,
    "keyId" TEXT NOT NULL,
    "before" JSONB NOT NULL,
    "after" JSONB NOT NULL,
    "createdAt" DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "undoneAt" DATETIME,
    CONSTRAINT "KeyTightening_keyId_fkey" FOREIGN KEY ("keyId") REFERENCES "ApiKey" ("id") ON DELETE CASCADE ON UPDATE CASCADE
);

-- Without making the table anew, which would end what refers to it.
ALTER TABLE "ApiKey" ADD COLUMN "projectIds" TEXT;
ALTER TABLE "ApiKey" ADD COLUMN "actsAsId" TEXT;
ALTER TABLE "ApiKey" ADD COLUMN "isLocked" BOOLEAN NOT NULL DEFAULT false;
ALTER TABLE "ApiKey" ADD COLUMN "grantsUntil" DATETIME;

-- CreateIndex
CREATE INDEX "ApiKey_actsAsId_idx" ON "ApiKey"("actsAsId");

-- CreateIndex
CREATE UNIQUE INDEX "KeyOperationSet_lineageId_version_key" ON "KeyOperationSet"("lineageId", "version");

-- CreateIndex
CREATE INDEX "ScopeGrant_workspaceId_environment_createdAt_id_idx" ON "ScopeGrant"("workspaceId", "environment", "createdAt", "id");

-- CreateIndex
CREATE INDEX "ScopeGrant_keyId_endsAt_idx" ON "ScopeGrant"("keyId", "endsAt");

-- CreateIndex
CREATE INDEX "KeyTightening_keyId_createdAt_idx" ON "KeyTightening"("keyId", "createdAt");
