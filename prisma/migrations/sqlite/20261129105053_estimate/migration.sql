-- AlterTable
ALTER TABLE "Task" ADD COLUMN "estimate" REAL;
