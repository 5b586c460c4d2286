/** `taskgate tasks`: tasks from files, and into them, whatever their number. */
import { readFileSync, writeFileSync } from 'node:fs';
import { Command, Option } from 'commander';
import { ApiError, badInput } from '../errors.js';
import { DEFAULT_WORKSPACE } from '../keys/bootstrap.js';
import { TaskEvents } from '../messaging/taskEvents.js';
import { BulkService, MOST_TASKS } from '../tasks/bulkService.js';
import { FILE_COLUMNS, fileTask } from '../tasks/taskFileRows.js';
import {
  emailsIn,
  type FileProblem,
  type FileTask,
  knownRows,
  problemsOf,
  readTaskFile,
  type TaskFileFormat,
  writeTaskFile,
} from '../tasks/taskFiles.js';
import { TaskService } from '../tasks/taskService.js';
import { projectsNamed } from './keys/rows.js';
import { printable } from './printable.js';
import type { ProcessVariables } from './processVariables.js';
import { progressBar } from './progress.js';
import { environmentOption, print, type WorkspaceSession, withWorkspace } from './session.js';

/** Tasks of one file. */
const MOST = 1_000_000;
/** What is wrong that is shown. */
const MOST_SHOWN = 20;

interface Options {
  readonly workspace: string;
  readonly environment: 'LIVE' | 'TEST';
  readonly format?: TaskFileFormat;
  readonly project?: string;
  readonly dryRun?: true;
  readonly output?: string;
  readonly json?: true;
}

export function tasksCommand(variables: ProcessVariables): Command {
  const command = new Command('tasks').description('tasks from files, and into them').exitOverride();
  const shared = (name: string) =>
    new Command(name)
      .option('--environment <environment>', 'live or test', environmentOption, 'LIVE')
      .option('--workspace <slug>', 'whose tasks', DEFAULT_WORKSPACE)
      .addOption(
        new Option('--format <format>', 'csv, json or kaneo; by default as the name of the file ends').argParser(
          formatOption,
        ),
      )
      .exitOverride();
  command.addCommand(
    shared('import')
      .description(`make the tasks of a file, ${MOST_TASKS} at once: all of a part, or none of it and what follows`)
      .argument('<file>', '- for standard input')
      .option('--project <slug>', 'the slug or id of the project of tasks for which the file names none')
      .option('--dry-run', 'say what is wrong with which task, and make none')
      .option('--json', 'print JSON')
      .action((file: string, options: Options) =>
        withWorkspace(variables, options.workspace, false, (session) => importFile(session, file, options)),
      ),
  );
  command.addCommand(
    shared('export')
      .description('write all tasks, or those of a project, to a file')
      .option('--project <slug>', 'the slug or id of the project')
      .option('--output <file>', 'a file that is not there yet; by default standard output')
      .action((options: Options) =>
        withWorkspace(variables, options.workspace, false, (session) => exportFile(session, options)),
      ),
  );
  return command;
}

function formatOption(value: string): TaskFileFormat {
  const format = value.toUpperCase();
  if (format === 'CSV' || format === 'JSON' || format === 'KANEO') return format;
  throw badInput({ format: ['must be csv, json or kaneo'] });
}

const formatOf = (file: string, { format }: Options): TaskFileFormat =>
  format ?? (/\.csv$/i.test(file) ? 'CSV' : /\.json$/i.test(file) ? 'JSON' : unknownFormat());

function unknownFormat(): never {
  throw badInput({
    format: ['must be given (--format csv, json or kaneo), or a file whose name ends in .csv or .json'],
  });
}

async function importFile(session: WorkspaceSession, file: string, options: Options): Promise<void> {
  const { database, units, actor } = session;
  const who = actor(options.environment);
  const db = database.forTenant(who);
  const rows = readTaskFile(formatOf(file, options), readFileSync(file === '-' ? 0 : file, 'utf8'), MOST);
  const [projectId] = options.project === undefined ? [] : await projectsNamed(db, [options.project]);
  const where = { email: { in: emailsIn(rows) } };
  const users = new Map((await db.user.findMany({ where })).map(({ id, email }) => [email, id]));
  // Servers that run tell their subscribers of their own changes alone.
  const events = new TaskEvents({ publish() {}, subscribe() {}, async close() {} });
  const bulk = new BulkService(units, new TaskService(units, events), events);
  const problems: FileProblem[] = [];
  const isTrial = options.dryRun === true;
  let made = 0;
  let checked = 0;
  let isInterrupted = false;
  const interrupt = () => {
    isInterrupted = true;
  };
  for (const signal of SIGNALS) process.once(signal, interrupt);
  const bar = progressBar();
  try {
    for (let from = 0; from < rows.length && (isTrial || problems.length === 0) && !isInterrupted; from += MOST_TASKS) {
      const part = rows.slice(from, from + MOST_TASKS);
      const known = knownRows(part, users, projectId);
      const isTried = isTrial || known.problems.length > 0;
      const { taskIds, errors } = await bulk.import(who, known.tasks, { isAtomic: true, isTrial: isTried });
      problems.push(...problemsOf(known, errors).map((problem) => ({ ...problem, index: from + problem.index })));
      if (!isTried) made += taskIds.length;
      checked += part.length;
      bar.update('Tasks', from + part.length, rows.length);
    }
  } catch (error) {
    bar.stop();
    if (made > 0) process.stderr.write(`Made ${made} of ${rows.length} tasks before this. ${remaining(made)}\n`);
    throw error;
  } finally {
    bar.stop();
    for (const signal of SIGNALS) process.off(signal, interrupt);
  }
  if (isInterrupted && problems.length === 0 && checked < rows.length) {
    throw new ApiError(
      'CONFLICT',
      isTrial
        ? `It was interrupted after ${checked} of ${rows.length} tasks.`
        : `It was interrupted. ${remaining(made)}`,
    );
  }
  if (options.json) print({ dryRun: isTrial, total: rows.length, made, errors: problems });
  else
    tell(
      problems,
      isTrial
        ? `${rows.length - problems.length} of ${rows.length} tasks can be made.`
        : `Made ${made} of ${rows.length} tasks.`,
    );
  if (problems.length > 0) {
    const advice = isTrial ? 'The file has tasks that cannot be made.' : `Correct these lines. ${remaining(made)}`;
    throw new ApiError('BAD_USER_INPUT', advice);
  }
}

const SIGNALS = ['SIGINT', 'SIGTERM'] as const;

const remaining = (made: number) =>
  made === 0 ? 'Then import the file again.' : `Then import what comes after the first ${made} tasks.`;

function tell(problems: readonly FileProblem[], outcome: string): void {
  for (const { index, line, message } of problems.slice(0, MOST_SHOWN)) {
    process.stderr.write(`${line === null ? `task ${index + 1}` : `line ${line}`}: ${printable(message)}\n`);
  }
  if (problems.length > MOST_SHOWN) process.stderr.write(`and ${problems.length - MOST_SHOWN} more\n`);
  process.stdout.write(`${outcome}\n`);
}

async function exportFile({ database, actor }: WorkspaceSession, options: Options): Promise<void> {
  const { output } = options;
  const db = database.forTenant(actor(options.environment));
  const format = formatOf(output ?? '', options);
  const [projectId] = options.project === undefined ? [] : await projectsNamed(db, [options.project]);
  const where = projectId === undefined ? {} : { projectId };
  const total = await db.task.count({ where });
  const tasks: FileTask[] = [];
  const bar = progressBar();
  try {
    for (let after = 0; ; ) {
      const rows = await db.task.findMany({
        ...{ where: { ...where, number: { gt: after } }, orderBy: { number: 'asc' }, take: MOST_TASKS },
        select: FILE_COLUMNS,
      });
      tasks.push(...rows.map((row) => fileTask(row, true)));
      bar.update('Tasks', tasks.length, total);
      after = rows.at(-1)?.number ?? after;
      if (rows.length < MOST_TASKS) break;
    }
  } finally {
    bar.stop();
  }
  const content = writeTaskFile(format, tasks);
  if (output === undefined) process.stdout.write(content);
  else {
    write(output, content);
    process.stdout.write(`Wrote ${tasks.length} tasks to ${printable(output)}.\n`);
  }
}

/** What is there already is not lost, and what is new is nobody else's to read. */
function write(file: string, content: string): void {
  try {
    writeFileSync(file, content, { flag: 'wx', mode: 0o600 });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    throw new ApiError('CONFLICT', `There is a file ${file} already, which is kept.`);
  }
}
