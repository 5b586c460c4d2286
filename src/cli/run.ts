/** Runs what the command line asks for. Exit codes: 0 done, 1 failed, 2 called wrongly. */
import { CommanderError } from 'commander';
import { explain } from './explain.js';
import { printable } from './printable.js';
import { createProgram } from './program.js';

// The database, backups and what else is made hold what no other user of the machine may read.
process.umask(0o077);

process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  // Whoever reads the output has seen enough, as with `| head`.
  if (error.code === 'EPIPE') process.exit(0);
  process.stderr.write(`The output cannot be written: ${error.message}.\n`);
  process.exit(1);
});

try {
  const program = await createProgram(process.env).parseAsync(process.argv);
  if (program.args[0] !== 'serve') end();
} catch (error) {
  if (error instanceof CommanderError) {
    process.exitCode = error.exitCode === 0 ? 0 : 2;
  } else {
    process.stderr.write(`${printable(explain(error), '\n')}\n`);
    process.exitCode = 1;
  }
  end();
}

/** Once all is written: the engine of migrations leaves a timer behind, which would keep the process for 10 seconds. */
function end(): void {
  // What could not be written is told above.
  process.stdout.write('', (error) => error ?? process.stderr.write('', () => process.exit()));
}
