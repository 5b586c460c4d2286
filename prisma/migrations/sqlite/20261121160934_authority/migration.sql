-- AlterTable
ALTER TABLE "ApiKey" ADD COLUMN "lineageId" TEXT;

-- AlterTable
ALTER TABLE "Workspace" ADD COLUMN "ratePerHour" INTEGER;
ALTER TABLE "Workspace" ADD COLUMN "ratePerMinute" INTEGER;

-- RedefineTables
PRAGMA defer_foreign_keys=ON;
PRAGMA foreign_keys=OFF;
CREATE TABLE "new_TaskTag" (
    "workspaceId" TEXT NOT NULL,
    "environment" TEXT NOT NULL,
    "taskId" TEXT NOT NULL,
    "name" TEXT NOT NULL,
    "key" TEXT NOT NULL,

    PRIMARY KEY ("taskId", "key"),
    CONSTRAINT "TaskTag_taskId_fkey" FOREIGN KEY ("taskId") REFERENCES "Task" ("id") ON DELETE CASCADE ON UPDATE CASCADE
);
-- Of tags that differ in case only, the first one stays.
INSERT INTO "new_TaskTag" ("environment", "name", "taskId", "workspaceId", "key")
SELECT "environment", min("name"), "taskId", "workspaceId", lower("name") FROM "TaskTag"
GROUP BY "environment", "taskId", "workspaceId", lower("name");
DROP TABLE "TaskTag";
ALTER TABLE "new_TaskTag" RENAME TO "TaskTag";
CREATE INDEX "TaskTag_workspaceId_environment_key_idx" ON "TaskTag"("workspaceId", "environment", "key");
PRAGMA foreign_keys=ON;
PRAGMA defer_foreign_keys=OFF;

-- CreateIndex
CREATE INDEX "ApiKey_createdByKeyId_idx" ON "ApiKey"("createdByKeyId");

-- A slug that is taken twice stays with the older project.
UPDATE "Project" SET "slug" = substr("slug", 1, 60) || '-' || "id" WHERE EXISTS (
    SELECT 1 FROM "Project" AS "older" WHERE "older"."workspaceId" = "Project"."workspaceId"
    AND "older"."environment" = "Project"."environment" AND "older"."slug" = "Project"."slug" AND "older"."id" < "Project"."id"
);

-- CreateIndex
CREATE UNIQUE INDEX "Project_workspaceId_environment_slug_key" ON "Project"("workspaceId", "environment", "slug");
