-- AlterTable
ALTER TABLE "TaskCount" ADD COLUMN     "changes" BIGINT NOT NULL DEFAULT 0;

-- DropTable
DROP TABLE "RowChange";

DROP TRIGGER "Task_counted" ON "Task";
DROP TRIGGER "Task_uncounted" ON "Task";
DROP FUNCTION taskgate_count_tasks();

-- Whoever writes, by whatever way, and whichever row: cascades of foreign keys are written too. A slot that another transaction
-- holds is not waited for: there are as many as there ever were writers at once. The numbers are random, so that a database that
-- has lost its latest changes, as a standby may that takes over, does not come to the same sum by others.
-- The argument: how many more tasks there are with each row.
CREATE FUNCTION taskgate_note_changes() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    tenant record;
    step bigint = 1 + floor(random() * 1000000000);
BEGIN
    IF TG_OP = 'TRUNCATE' THEN
        UPDATE "TaskCount" SET "tasks" = CASE TG_TABLE_NAME WHEN 'Task' THEN 0 ELSE "tasks" END, "changes" = "changes" + step;
        RETURN NULL;
    END IF;
    FOR tenant IN
        SELECT "workspaceId", "environment", count(*) * TG_ARGV[0]::int AS more FROM changed GROUP BY "workspaceId", "environment"
    LOOP
        UPDATE "TaskCount" AS noted SET "tasks" = noted."tasks" + tenant.more, "changes" = noted."changes" + step
        WHERE noted."workspaceId" = tenant."workspaceId" AND noted."environment" = tenant."environment" AND noted."slot" = (
            SELECT free."slot" FROM "TaskCount" AS free
            WHERE free."workspaceId" = tenant."workspaceId" AND free."environment" = tenant."environment"
            LIMIT 1 FOR UPDATE SKIP LOCKED
        );
        IF NOT FOUND THEN
            INSERT INTO "TaskCount" AS noted ("workspaceId", "environment", "slot", "tasks", "changes")
            VALUES (tenant."workspaceId", tenant."environment", floor(random() * 2147483647), tenant.more, step)
            ON CONFLICT ("workspaceId", "environment", "slot") DO UPDATE
            SET "tasks" = noted."tasks" + excluded."tasks", "changes" = noted."changes" + excluded."changes";
        END IF;
    END LOOP;
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
