-- CreateTable
CREATE TABLE "Passkey" (
    "id" TEXT NOT NULL PRIMARY KEY,
    "name" TEXT,
    "publicKey" TEXT NOT NULL,
    "userId" TEXT NOT NULL,
    "credentialID" TEXT NOT NULL,
    "counter" REAL NOT NULL,
    "deviceType" TEXT NOT NULL,
    "backedUp" BOOLEAN NOT NULL,
    "transports" TEXT,
    "createdAt" DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "aaguid" TEXT,
    CONSTRAINT "Passkey_userId_fkey" FOREIGN KEY ("userId") REFERENCES "Person" ("id") ON DELETE CASCADE ON UPDATE CASCADE
);

-- CreateIndex
CREATE UNIQUE INDEX "Passkey_credentialID_key" ON "Passkey"("credentialID");

-- CreateIndex
CREATE INDEX "Passkey_userId_idx" ON "Passkey"("userId");

-- Who a member is in the sandbox has the role that the member has in live; it had the one of the day when it was made.
UPDATE "User" SET "role" = (
    SELECT member."role" FROM "User" AS member
    WHERE member."workspaceId" = "User"."workspaceId" AND member."environment" = 'LIVE' AND member."personId" = "User"."personId"
)
WHERE "environment" = 'TEST' AND "personId" IS NOT NULL AND EXISTS (
    SELECT 1 FROM "User" AS member
    WHERE member."workspaceId" = "User"."workspaceId" AND member."environment" = 'LIVE' AND member."personId" = "User"."personId"
);
