-- AlterTable
ALTER TABLE "Task" ADD COLUMN     "parentId" TEXT;

-- CreateTable
CREATE TABLE "Label" (
    "id" TEXT NOT NULL,
    "workspaceId" TEXT NOT NULL,
    "environment" "Environment" NOT NULL,
    "name" TEXT NOT NULL,
    "key" TEXT NOT NULL,
    "color" TEXT NOT NULL,
    "description" TEXT,
    "createdById" TEXT,
    "createdByKeyId" TEXT,
    "createdAt" TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updatedAt" TIMESTAMP(3) NOT NULL,

    CONSTRAINT "Label_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "TimeEntry" (
    "id" TEXT NOT NULL,
    "workspaceId" TEXT NOT NULL,
    "environment" "Environment" NOT NULL,
    "taskId" TEXT NOT NULL,
    "userId" TEXT,
    "createdByKeyId" TEXT,
    "note" TEXT,
    "startedAt" TIMESTAMP(3) NOT NULL,
    "endedAt" TIMESTAMP(3),
    "createdAt" TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updatedAt" TIMESTAMP(3) NOT NULL,

    CONSTRAINT "TimeEntry_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "Notification" (
    "id" TEXT NOT NULL,
    "workspaceId" TEXT NOT NULL,
    "environment" "Environment" NOT NULL,
    "userId" TEXT NOT NULL,
    "kind" TEXT NOT NULL,
    "taskId" TEXT NOT NULL,
    "senderId" TEXT,
    "readAt" TIMESTAMP(3),
    "createdAt" TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "Notification_pkey" PRIMARY KEY ("id")
);

-- CreateIndex
CREATE INDEX "Label_workspaceId_environment_name_id_idx" ON "Label"("workspaceId", "environment", "name", "id");

-- CreateIndex
CREATE INDEX "Label_workspaceId_environment_createdAt_id_idx" ON "Label"("workspaceId", "environment", "createdAt", "id");

-- CreateIndex
CREATE INDEX "Label_createdById_idx" ON "Label"("createdById");

-- CreateIndex
CREATE UNIQUE INDEX "Label_workspaceId_environment_key_key" ON "Label"("workspaceId", "environment", "key");

-- A label for each tag that there is.
INSERT INTO "Label" ("id", "workspaceId", "environment", "name", "key", "color", "updatedAt")
SELECT gen_random_uuid()::text, "workspaceId", "environment", MIN("name"), "key", '#6b7280', CURRENT_TIMESTAMP
FROM "TaskTag" GROUP BY "workspaceId", "environment", "key";

-- AlterTable
ALTER TABLE "TaskTag" ADD COLUMN     "labelId" TEXT;
UPDATE "TaskTag" SET "labelId" = "Label"."id" FROM "Label"
WHERE "Label"."workspaceId" = "TaskTag"."workspaceId" AND "Label"."environment" = "TaskTag"."environment" AND "Label"."key" = "TaskTag"."key";
ALTER TABLE "TaskTag" ALTER COLUMN "labelId" SET NOT NULL;

-- CreateIndex
CREATE INDEX "TimeEntry_workspaceId_environment_createdAt_id_idx" ON "TimeEntry"("workspaceId", "environment", "createdAt", "id");

-- CreateIndex
CREATE INDEX "TimeEntry_workspaceId_environment_startedAt_id_idx" ON "TimeEntry"("workspaceId", "environment", "startedAt", "id");

-- CreateIndex
CREATE INDEX "TimeEntry_taskId_startedAt_id_idx" ON "TimeEntry"("taskId", "startedAt", "id");

-- CreateIndex
CREATE INDEX "TimeEntry_taskId_createdAt_id_idx" ON "TimeEntry"("taskId", "createdAt", "id");

-- CreateIndex
CREATE INDEX "TimeEntry_userId_endedAt_idx" ON "TimeEntry"("userId", "endedAt");

-- CreateIndex
CREATE INDEX "Notification_userId_createdAt_id_idx" ON "Notification"("userId", "createdAt", "id");

-- CreateIndex
CREATE INDEX "Notification_userId_readAt_idx" ON "Notification"("userId", "readAt");

-- CreateIndex
CREATE INDEX "Notification_workspaceId_environment_createdAt_id_idx" ON "Notification"("workspaceId", "environment", "createdAt", "id");

-- CreateIndex
CREATE INDEX "Notification_senderId_idx" ON "Notification"("senderId");

-- CreateIndex
CREATE INDEX "Notification_taskId_idx" ON "Notification"("taskId");

-- CreateIndex
CREATE INDEX "Task_workspaceId_environment_projectId_position_id_idx" ON "Task"("workspaceId", "environment", "projectId", "position", "id");

-- CreateIndex
CREATE INDEX "Task_parentId_createdAt_id_idx" ON "Task"("parentId", "createdAt", "id");

-- CreateIndex
CREATE INDEX "TaskTag_labelId_taskId_idx" ON "TaskTag"("labelId", "taskId");

-- AddForeignKey
ALTER TABLE "Task" ADD CONSTRAINT "Task_parentId_fkey" FOREIGN KEY ("parentId") REFERENCES "Task"("id") ON DELETE SET NULL ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "TaskTag" ADD CONSTRAINT "TaskTag_labelId_fkey" FOREIGN KEY ("labelId") REFERENCES "Label"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "Label" ADD CONSTRAINT "Label_createdById_fkey" FOREIGN KEY ("createdById") REFERENCES "User"("id") ON DELETE SET NULL ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "Label" ADD CONSTRAINT "Label_createdByKeyId_fkey" FOREIGN KEY ("createdByKeyId") REFERENCES "ApiKey"("id") ON DELETE NO ACTION ON UPDATE NO ACTION;

-- AddForeignKey
ALTER TABLE "TimeEntry" ADD CONSTRAINT "TimeEntry_taskId_fkey" FOREIGN KEY ("taskId") REFERENCES "Task"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "TimeEntry" ADD CONSTRAINT "TimeEntry_userId_fkey" FOREIGN KEY ("userId") REFERENCES "User"("id") ON DELETE SET NULL ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "TimeEntry" ADD CONSTRAINT "TimeEntry_createdByKeyId_fkey" FOREIGN KEY ("createdByKeyId") REFERENCES "ApiKey"("id") ON DELETE NO ACTION ON UPDATE NO ACTION;

-- AddForeignKey
ALTER TABLE "Notification" ADD CONSTRAINT "Notification_userId_fkey" FOREIGN KEY ("userId") REFERENCES "User"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "Notification" ADD CONSTRAINT "Notification_senderId_fkey" FOREIGN KEY ("senderId") REFERENCES "User"("id") ON DELETE SET NULL ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "Notification" ADD CONSTRAINT "Notification_taskId_fkey" FOREIGN KEY ("taskId") REFERENCES "Task"("id") ON DELETE CASCADE ON UPDATE CASCADE;
