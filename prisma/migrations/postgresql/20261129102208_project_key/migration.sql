-- AlterTable
ALTER TABLE "Project" ADD COLUMN     "key" TEXT;

-- Projects that were there before are P1, P2 and so on, until somebody gives them another key.
UPDATE "Project" SET "key" = 'P' || "place" FROM (
    SELECT "id", ROW_NUMBER() OVER (PARTITION BY "workspaceId", "environment" ORDER BY "createdAt", "id") AS "place" FROM "Project"
) AS "ordered" WHERE "ordered"."id" = "Project"."id";

-- CreateIndex
CREATE UNIQUE INDEX "Project_workspaceId_environment_key_key" ON "Project"("workspaceId", "environment", "key");
