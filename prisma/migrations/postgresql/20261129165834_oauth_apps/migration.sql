-- AlterTable
ALTER TABLE "ApiKey" ADD COLUMN     "appId" TEXT;

-- CreateTable
CREATE TABLE "OauthApp" (
    "id" TEXT NOT NULL,
    "workspaceId" TEXT NOT NULL,
    "environment" "Environment" NOT NULL,
    "name" TEXT NOT NULL,
    "description" TEXT,
    "redirectUris" TEXT NOT NULL,
    "scopes" TEXT NOT NULL,
    "secretHash" TEXT,
    "createdById" TEXT,
    "createdByKeyId" TEXT,
    "createdAt" TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updatedAt" TIMESTAMP(3) NOT NULL,

    CONSTRAINT "OauthApp_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "OauthCode" (
    "hash" TEXT NOT NULL,
    "workspaceId" TEXT NOT NULL,
    "environment" "Environment" NOT NULL,
    "keyId" TEXT NOT NULL,
    "redirectUri" TEXT NOT NULL,
    "codeChallenge" TEXT NOT NULL,
    "expiresAt" TIMESTAMP(3) NOT NULL,
    "usedAt" TIMESTAMP(3),

    CONSTRAINT "OauthCode_pkey" PRIMARY KEY ("hash")
);

-- CreateTable
CREATE TABLE "OauthRefreshToken" (
    "hash" TEXT NOT NULL,
    "workspaceId" TEXT NOT NULL,
    "environment" "Environment" NOT NULL,
    "keyId" TEXT NOT NULL,
    "createdAt" TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "expiresAt" TIMESTAMP(3) NOT NULL,
    "usedAt" TIMESTAMP(3),

    CONSTRAINT "OauthRefreshToken_pkey" PRIMARY KEY ("hash")
);

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

-- CreateIndex
CREATE INDEX "ApiKey_appId_idx" ON "ApiKey"("appId");

-- AddForeignKey
ALTER TABLE "ApiKey" ADD CONSTRAINT "ApiKey_appId_fkey" FOREIGN KEY ("appId") REFERENCES "OauthApp"("id") ON DELETE SET NULL ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "OauthCode" ADD CONSTRAINT "OauthCode_keyId_fkey" FOREIGN KEY ("keyId") REFERENCES "ApiKey"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "OauthRefreshToken" ADD CONSTRAINT "OauthRefreshToken_keyId_fkey" FOREIGN KEY ("keyId") REFERENCES "ApiKey"("id") ON DELETE CASCADE ON UPDATE CASCADE;
