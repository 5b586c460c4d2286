-- CreateTable
CREATE TABLE "TrustedDocument" (
    "workspaceId" TEXT NOT NULL,
    "environment" TEXT NOT NULL,
    "hash" TEXT NOT NULL,
    "text" TEXT NOT NULL,
    "createdAt" DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP,

    PRIMARY KEY ("workspaceId", "environment", "hash")
);

-- CreateTable
CREATE TABLE "AccessToken" (
    "hash" TEXT NOT NULL PRIMARY KEY,
    "keyId" TEXT NOT NULL,
    "workspaceId" TEXT NOT NULL,
    "environment" TEXT NOT NULL,
    "scopes" TEXT NOT NULL,
    "createdAt" DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "expiresAt" DATETIME NOT NULL,
    CONSTRAINT "AccessToken_keyId_fkey" FOREIGN KEY ("keyId") REFERENCES "ApiKey" ("id") ON DELETE CASCADE ON UPDATE CASCADE
);

-- AlterTable
ALTER TABLE "TaskCounter" ADD COLUMN "tasks" INTEGER NOT NULL DEFAULT 0;

-- CreateIndex
CREATE INDEX "AccessToken_keyId_idx" ON "AccessToken"("keyId");

-- CreateIndex
CREATE INDEX "AccessToken_expiresAt_idx" ON "AccessToken"("expiresAt");

-- How many tasks there are, kept as they come and go.
INSERT INTO "TaskCounter" ("workspaceId", "environment", "tasks")
SELECT "workspaceId", "environment", count(*) FROM "Task" WHERE true GROUP BY "workspaceId", "environment"
ON CONFLICT ("workspaceId", "environment") DO UPDATE SET "tasks" = excluded."tasks";

CREATE TRIGGER "Task_counted" AFTER INSERT ON "Task"
BEGIN
    INSERT INTO "TaskCounter" ("workspaceId", "environment", "tasks") VALUES (NEW."workspaceId", NEW."environment", 1)
    ON CONFLICT ("workspaceId", "environment") DO UPDATE SET "tasks" = "tasks" + 1;
END;

CREATE TRIGGER "Task_uncounted" AFTER DELETE ON "Task"
BEGIN
    UPDATE "TaskCounter" SET "tasks" = "tasks" - 1
    WHERE "workspaceId" = OLD."workspaceId" AND "environment" = OLD."environment";
END;
