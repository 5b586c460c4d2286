-- CreateTable
CREATE TABLE "TaskCount" (
    "workspaceId" TEXT NOT NULL,
    "environment" "Environment" NOT NULL,
    "slot" INTEGER NOT NULL DEFAULT 0,
    "tasks" INTEGER NOT NULL DEFAULT 0,

    CONSTRAINT "TaskCount_pkey" PRIMARY KEY ("workspaceId","environment","slot")
);

INSERT INTO "TaskCount" ("workspaceId", "environment", "tasks")
SELECT "workspaceId", "environment", "tasks" FROM "TaskCounter";

-- AlterTable
ALTER TABLE "TaskCounter" DROP COLUMN "tasks";

-- A slot for each connection, more or less: a row that all transactions of a workspace change makes them wait for each other.
CREATE OR REPLACE FUNCTION taskgate_count_tasks() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO "TaskCount" AS counted ("workspaceId", "environment", "slot", "tasks")
    SELECT "workspaceId", "environment", pg_backend_pid() % 64, CASE TG_OP WHEN 'INSERT' THEN count(*) ELSE -count(*) END
    FROM changed GROUP BY "workspaceId", "environment"
    ON CONFLICT ("workspaceId", "environment", "slot") DO UPDATE SET "tasks" = counted."tasks" + excluded."tasks";
    RETURN NULL;
END $$;
