#!/usr/bin/env node
/** The `taskgate` command. Exit codes: 0 done, 1 failed, 2 called wrongly. */
import { CommanderError } from 'commander';
import { explain } from './cli/failure.js';
import { createProgram } from './cli/program.js';

// The database, backups and what else is made hold what is nobody else's business.
process.umask(0o077);

try {
  await createProgram(process.env).parseAsync(process.argv);
} catch (error) {
  if (error instanceof CommanderError) {
    process.exitCode = error.exitCode === 0 ? 0 : 2;
  } else {
    process.stderr.write(`${explain(error)}\n`);
    process.exitCode = 1;
  }
}
