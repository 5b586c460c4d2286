-- DropIndex
DROP INDEX "TaskTag_workspaceId_environment_name_idx";

-- AlterTable
ALTER TABLE "ApiKey" ADD COLUMN     "lineageId" TEXT;

-- Of tags that differ in case only, the first one stays.
DELETE FROM "TaskTag" AS "other" USING "TaskTag" AS "first"
WHERE "first"."taskId" = "other"."taskId" AND lower("first"."name") = lower("other"."name") AND "first"."name" < "other"."name";

-- AlterTable
ALTER TABLE "TaskTag" ADD COLUMN "key" TEXT;
UPDATE "TaskTag" SET "key" = lower("name");
ALTER TABLE "TaskTag" ALTER COLUMN "key" SET NOT NULL;
ALTER TABLE "TaskTag" DROP CONSTRAINT "TaskTag_pkey",
ADD CONSTRAINT "TaskTag_pkey" PRIMARY KEY ("taskId", "key");

-- AlterTable
ALTER TABLE "Workspace" ADD COLUMN     "ratePerHour" INTEGER,
ADD COLUMN     "ratePerMinute" INTEGER;

-- CreateIndex
CREATE INDEX "ApiKey_createdByKeyId_idx" ON "ApiKey"("createdByKeyId");

-- A slug that is taken twice stays with the older project.
UPDATE "Project" SET "slug" = substr("slug", 1, 60) || '-' || "id" WHERE EXISTS (
    SELECT 1 FROM "Project" AS "older" WHERE "older"."workspaceId" = "Project"."workspaceId"
    AND "older"."environment" = "Project"."environment" AND "older"."slug" = "Project"."slug" AND "older"."id" < "Project"."id"
);

-- CreateIndex
CREATE UNIQUE INDEX "Project_workspaceId_environment_slug_key" ON "Project"("workspaceId", "environment", "slug");

-- CreateIndex
CREATE INDEX "TaskTag_workspaceId_environment_key_idx" ON "TaskTag"("workspaceId", "environment", "key");
