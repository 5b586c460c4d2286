-- The index of texts has the day on which a task was made as well, with its workspace: the newest tasks that have a word are found without
-- all others that have it (src/db/recentTexts.ts). Where the server has no extension for that, or this user may not make it, the
-- index stays as it is.
DO $$
DECLARE
    place text;
BEGIN
    CREATE EXTENSION IF NOT EXISTS btree_gin;
    SELECT nspname INTO STRICT place FROM pg_extension JOIN pg_namespace ON pg_namespace.oid = extnamespace WHERE extname = 'pg_trgm';
    EXECUTE format(
        'CREATE INDEX "Task_recent_text_idx" ON "Task" USING GIN (
            ("workspaceId" || '' '' || ("createdAt"::date - DATE ''2000-01-01'')::text), "title" %1$I.gin_trgm_ops, "description" %1$I.gin_trgm_ops)',
        place);
    DROP INDEX IF EXISTS "Task_text_idx";
EXCEPTION
    WHEN insufficient_privilege OR undefined_file OR undefined_object OR feature_not_supported OR no_data_found THEN
        RAISE NOTICE 'the index of texts stays as it is: %', SQLERRM;
END $$;
