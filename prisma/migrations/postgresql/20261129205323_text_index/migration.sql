-- AlterTable
ALTER TABLE "Notification" ADD COLUMN     "dueDate" TIMESTAMP(3);

-- CreateIndex
CREATE INDEX "Task_dueDate_idx" ON "Task"("dueDate");

-- DropIndex
DROP INDEX "Task_workspaceId_environment_createdAt_id_idx";

-- CreateIndex
CREATE INDEX "Task_workspaceId_environment_createdAt_id_number_idx" ON "Task"("workspaceId", "environment", "createdAt", "id", "number");

-- AlterTable
ALTER TABLE "TaskTag" ADD COLUMN     "taskCreatedAt" TIMESTAMP(3);

UPDATE "TaskTag" SET "taskCreatedAt" = "Task"."createdAt" FROM "Task" WHERE "Task"."id" = "TaskTag"."taskId";

-- DropIndex
DROP INDEX "TaskTag_workspaceId_environment_key_idx";

-- CreateIndex
CREATE INDEX "TaskTag_workspaceId_environment_key_taskCreatedAt_taskId_idx" ON "TaskTag"("workspaceId", "environment", "key", "taskCreatedAt", "taskId");

-- DropIndex
DROP INDEX "TaskTag_labelId_taskId_idx";

-- CreateIndex
CREATE INDEX "TaskTag_labelId_taskCreatedAt_taskId_idx" ON "TaskTag"("labelId", "taskCreatedAt", "taskId");

-- Whoever puts a label on a task. When a task was made does not change. One that is made by the same statement is not seen here: its
-- labels bring the time.
CREATE FUNCTION taskgate_date_tag() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    SELECT "createdAt" INTO NEW."taskCreatedAt" FROM "Task" WHERE "id" = NEW."taskId";
    RETURN NEW;
END $$;

CREATE TRIGGER "TaskTag_insert_dated" BEFORE INSERT ON "TaskTag"
    FOR EACH ROW WHEN (NEW."taskCreatedAt" IS NULL) EXECUTE FUNCTION taskgate_date_tag();

-- AlterTable
ALTER TABLE "TimeEntry" ADD COLUMN     "seconds" INTEGER;

UPDATE "TimeEntry" SET "seconds" = round(extract(epoch FROM "endedAt" - "startedAt"));

CREATE FUNCTION taskgate_measure_time() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW."seconds" = round(extract(epoch FROM NEW."endedAt" - NEW."startedAt"));
    RETURN NEW;
END $$;

CREATE TRIGGER "TimeEntry_measured" BEFORE INSERT OR UPDATE OF "startedAt", "endedAt" ON "TimeEntry"
    FOR EACH ROW EXECUTE FUNCTION taskgate_measure_time();

-- Texts that contain a word are found by its trigrams. Where the server has no such extension, or this user may not make it, they
-- are found by reading all of them.
DO $$
DECLARE
    place text;
BEGIN
    CREATE EXTENSION IF NOT EXISTS pg_trgm;
    -- Where it was there before, it may be in any schema.
    SELECT nspname INTO place FROM pg_extension JOIN pg_namespace ON pg_namespace.oid = extnamespace WHERE extname = 'pg_trgm';
    EXECUTE format('CREATE INDEX "Task_text_idx" ON "Task" USING GIN ("title" %1$I.gin_trgm_ops, "description" %1$I.gin_trgm_ops)', place);
    EXECUTE format('CREATE INDEX "Comment_text_idx" ON "Comment" USING GIN ("body" %1$I.gin_trgm_ops)', place);
EXCEPTION
    WHEN insufficient_privilege OR undefined_file OR undefined_object OR feature_not_supported THEN
        RAISE NOTICE 'without pg_trgm searches read all texts: %', SQLERRM;
END $$;
