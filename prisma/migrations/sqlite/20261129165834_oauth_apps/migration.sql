-- CreateTable
CREATE TABLE "OauthApp" (
    "id" TEXT NOT NULL PRIMARY KEY,
    "workspaceId" TEXT NOT NULL,
    "environment" TEXT NOT NULL,
    "name" TEXT NOT NULL,
    "description" TEXT,
    "redirectUris" TEXT NOT NULL,
    "scopes" TEXT NOT NULL,
    "secretHash" TEXT,
    "createdById" TEXT,
    "createdByKeyId" TEXT,
    "createdAt" DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updatedAt" DATETIME NOT NULL
);

-- CreateTable
CREATE TABLE "OauthCode" (
    "hash" TEXT NOT NULL PRIMARY KEY,
    "workspaceId" TEXT NOT NULL,
    "environment" TEXT NOT NULL,
    "keyId" TEXT NOT NULL,
    "redirectUri" TEXT NOT NULL,
    "codeChallenge" TEXT NOT NULL,
    "expiresAt" DATETIME NOT NULL,
    "usedAt" DATETIME,
    CONSTRAINT "OauthCode_keyId_fkey" FOREIGN KEY ("keyId") REFERENCES "ApiKey" ("id") ON DELETE CASCADE ON UPDATE CASCADE
);

-- CreateTable
CREATE TABLE "OauthRefreshToken" (
    "hash" TEXT NOT NULL PRIMARY KEY,
    "workspaceId" TEXT NOT NULL,
    "environment" TEXT NOT NULL,
    "keyId" TEXT NOT NULL,
    "createdAt" DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "expiresAt" DATETIME NOT NULL,
    "usedAt" DATETIME,
    CONSTRAINT "OauthRefreshToken_keyId_fkey" FOREIGN KEY ("keyId") REFERENCES "ApiKey" ("id") ON DELETE CASCADE ON UPDATE CASCADE
);

-- AlterTable: in place, for a table that is made anew loses its triggers
ALTER TABLE "ApiKey" ADD COLUMN "appId" TEXT REFERENCES "OauthApp" ("id") ON DELETE SET NULL ON UPDATE CASCADE;

-- CreateIndex
CREATE INDEX "ApiKey_appId_idx" ON "ApiKey"("appId");

-- CreateIndex
CREATE UNIQUE INDEX "OauthApp_secretHash_key" ON "OauthApp"("secretHash");

-- CreateIndex
CREATE INDEX "OauthApp_workspaceId_environment_createdAt_id_idx" ON "OauthApp"("workspaceId", "environment", "createdAt", "id");

-- CreateIndex
CREATE INDEX "OauthCode_keyId_idx" ON "OauthCode"("keyId");

-- CreateIndex
CREATE INDEX "OauthCode_expiresAt_idx" ON "OauthCode"("expiresAt");

-- CreateIndex
CREATE INDEX "OauthRefreshToken_keyId_idx" ON "OauthRefreshToken"("keyId");

-- CreateIndex
CREATE INDEX "OauthRefreshToken_expiresAt_idx" ON "OauthRefreshToken"("expiresAt");
