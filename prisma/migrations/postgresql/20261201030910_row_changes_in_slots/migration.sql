-- AlterTable
ALTER TABLE "TaskCount" ADD COLUMN     "changes" BIGINT NOT NULL DEFAULT 0;

-- DropTable
DROP TABLE "RowChange";

DROP TRIGGER "Task_counted" ON "Task";
DROP TRIGGER "Task_uncounted" ON "Task";
DROP FUNCTION taskgate_count_tasks();

-- Whoever writes, by whatever way, and whichever row: cascades of foreign keys are written too. A connection has a slot, or the next
-- that no other transaction has taken, so that none waits for another to be committed. The numbers are random, so that a database
-- that has lost its latest changes, as a standby may that takes over, does not come to the same sum by others.
-- The argument: how many more tasks there are with each row.
CREATE FUNCTION taskgate_note_changes() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    slots CONSTANT int = 64;
    free int;
    step bigint = 1 + floor(random() * 1000000000);
BEGIN
    IF TG_OP = 'TRUNCATE' THEN
        UPDATE "TaskCount" SET "tasks" = CASE TG_TABLE_NAME WHEN 'Task' THEN 0 ELSE "tasks" END, "changes" = "changes" + step;
        RETURN NULL;
    END IF;
    FOR attempt IN 0..slots - 1 LOOP
        free = (pg_backend_pid() + attempt) % slots;
        EXIT WHEN pg_try_advisory_xact_lock(746173, free);
        -- Where all are taken, one of its own.
        free = slots + pg_backend_pid();
    END LOOP;
    INSERT INTO "TaskCount" AS noted ("workspaceId", "environment", "slot", "tasks", "changes")
    SELECT "workspaceId", "environment", free, count(*) * TG_ARGV[0]::int, step FROM changed GROUP BY "workspaceId", "environment"
    ON CONFLICT ("workspaceId", "environment", "slot") DO UPDATE
    SET "tasks" = noted."tasks" + excluded."tasks", "changes" = noted."changes" + excluded."changes";
    RETURN NULL;
END $$;

CREATE TRIGGER "Task_insert_noted" AFTER INSERT ON "Task"
REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION taskgate_note_changes('1');

CREATE TRIGGER "Task_update_noted" AFTER UPDATE ON "Task"
REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION taskgate_note_changes('0');

CREATE TRIGGER "Task_delete_noted" AFTER DELETE ON "Task"
REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION taskgate_note_changes('-1');

CREATE TRIGGER "Task_truncate_noted" AFTER TRUNCATE ON "Task" FOR EACH STATEMENT EXECUTE FUNCTION taskgate_note_changes();

CREATE TRIGGER "Project_insert_noted" AFTER INSERT ON "Project"
REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION taskgate_note_changes('0');

CREATE TRIGGER "Project_update_noted" AFTER UPDATE ON "Project"
REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION taskgate_note_changes('0');

CREATE TRIGGER "Project_delete_noted" AFTER DELETE ON "Project"
REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION taskgate_note_changes('0');

CREATE TRIGGER "Project_truncate_noted" AFTER TRUNCATE ON "Project" FOR EACH STATEMENT EXECUTE FUNCTION taskgate_note_changes();

CREATE TRIGGER "User_insert_noted" AFTER INSERT ON "User"
REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION taskgate_note_changes('0');

CREATE TRIGGER "User_update_noted" AFTER UPDATE ON "User"
REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION taskgate_note_changes('0');

CREATE TRIGGER "User_delete_noted" AFTER DELETE ON "User"
REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION taskgate_note_changes('0');

CREATE TRIGGER "User_truncate_noted" AFTER TRUNCATE ON "User" FOR EACH STATEMENT EXECUTE FUNCTION taskgate_note_changes();

CREATE TRIGGER "TaskTag_insert_noted" AFTER INSERT ON "TaskTag"
REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION taskgate_note_changes('0');

CREATE TRIGGER "TaskTag_update_noted" AFTER UPDATE ON "TaskTag"
REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION taskgate_note_changes('0');

CREATE TRIGGER "TaskTag_delete_noted" AFTER DELETE ON "TaskTag"
REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION taskgate_note_changes('0');

CREATE TRIGGER "TaskTag_truncate_noted" AFTER TRUNCATE ON "TaskTag" FOR EACH STATEMENT EXECUTE FUNCTION taskgate_note_changes();

CREATE TRIGGER "State_insert_noted" AFTER INSERT ON "State"
REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION taskgate_note_changes('0');

CREATE TRIGGER "State_update_noted" AFTER UPDATE ON "State"
REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION taskgate_note_changes('0');

CREATE TRIGGER "State_delete_noted" AFTER DELETE ON "State"
REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION taskgate_note_changes('0');

CREATE TRIGGER "State_truncate_noted" AFTER TRUNCATE ON "State" FOR EACH STATEMENT EXECUTE FUNCTION taskgate_note_changes();
