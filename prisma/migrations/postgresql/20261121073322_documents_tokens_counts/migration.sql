-- AlterTable
ALTER TABLE "TaskCounter" ADD COLUMN     "tasks" INTEGER NOT NULL DEFAULT 0;

-- CreateTable
CREATE TABLE "TrustedDocument" (
    "workspaceId" TEXT NOT NULL,
    "environment" "Environment" NOT NULL,
    "hash" TEXT NOT NULL,
    "text" TEXT NOT NULL,
    "createdAt" TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "TrustedDocument_pkey" PRIMARY KEY ("workspaceId","environment","hash")
);

-- CreateTable
CREATE TABLE "AccessToken" (
    "hash" TEXT NOT NULL,
    "keyId" TEXT NOT NULL,
    "workspaceId" TEXT NOT NULL,
    "environment" "Environment" NOT NULL,
    "scopes" TEXT NOT NULL,
    "createdAt" TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "expiresAt" TIMESTAMP(3) NOT NULL,

    CONSTRAINT "AccessToken_pkey" PRIMARY KEY ("hash")
);

-- CreateIndex
CREATE INDEX "AccessToken_keyId_idx" ON "AccessToken"("keyId");

-- CreateIndex
CREATE INDEX "AccessToken_expiresAt_idx" ON "AccessToken"("expiresAt");

-- AddForeignKey
ALTER TABLE "AccessToken" ADD CONSTRAINT "AccessToken_keyId_fkey" FOREIGN KEY ("keyId") REFERENCES "ApiKey"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- How many tasks there are, kept as they come and go, once a statement however many rows it has.
INSERT INTO "TaskCounter" ("workspaceId", "environment", "tasks")
SELECT "workspaceId", "environment", count(*) FROM "Task" GROUP BY "workspaceId", "environment"
ON CONFLICT ("workspaceId", "environment") DO UPDATE SET "tasks" = excluded."tasks";

CREATE FUNCTION taskgate_count_tasks() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO "TaskCounter" ("workspaceId", "environment", "tasks")
        SELECT "workspaceId", "environment", count(*) FROM changed GROUP BY "workspaceId", "environment"
        ON CONFLICT ("workspaceId", "environment") DO UPDATE SET "tasks" = "TaskCounter"."tasks" + excluded."tasks";
    ELSE
        UPDATE "TaskCounter" AS counter SET "tasks" = counter."tasks" - gone.number
        FROM (SELECT "workspaceId", "environment", count(*) AS number FROM changed GROUP BY 1, 2) AS gone
        WHERE counter."workspaceId" = gone."workspaceId" AND counter."environment" = gone."environment";
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER "Task_counted" AFTER INSERT ON "Task"
REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION taskgate_count_tasks();

CREATE TRIGGER "Task_uncounted" AFTER DELETE ON "Task"
REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION taskgate_count_tasks();
