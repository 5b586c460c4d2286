-- AlterTable
ALTER TABLE "Task" ADD COLUMN     "estimate" DOUBLE PRECISION;
