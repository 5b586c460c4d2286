-- CreateTable
CREATE TABLE "ApiKeyNetwork" (
    "keyId" TEXT NOT NULL,
    "workspaceId" TEXT NOT NULL,
    "environment" TEXT NOT NULL,
    "network" TEXT NOT NULL,
    "firstSeenAt" DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP,

    PRIMARY KEY ("keyId", "network"),
    CONSTRAINT "ApiKeyNetwork_keyId_fkey" FOREIGN KEY ("keyId") REFERENCES "ApiKey" ("id") ON DELETE CASCADE ON UPDATE CASCADE
);

-- CreateTable
CREATE TABLE "Alert" (
    "id" TEXT NOT NULL PRIMARY KEY,
    "workspaceId" TEXT NOT NULL,
    "environment" TEXT NOT NULL,
    "kind" TEXT NOT NULL,
    "keyId" TEXT,
    "message" TEXT NOT NULL,
    "cause" TEXT NOT NULL,
    "createdAt" DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP,
    CONSTRAINT "Alert_keyId_fkey" FOREIGN KEY ("keyId") REFERENCES "ApiKey" ("id") ON DELETE CASCADE ON UPDATE CASCADE
);

-- CreateIndex
CREATE UNIQUE INDEX "Alert_cause_key" ON "Alert"("cause");

-- CreateIndex
CREATE INDEX "Alert_workspaceId_environment_createdAt_id_idx" ON "Alert"("workspaceId", "environment", "createdAt", "id");

-- CreateIndex
CREATE INDEX "Alert_keyId_idx" ON "Alert"("keyId");

-- CreateIndex
CREATE INDEX "ApiKey_expiresAt_idx" ON "ApiKey"("expiresAt");
