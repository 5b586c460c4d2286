/**
 * PostgreSQL for tests: the server at TEST_POSTGRES_URL or on the local default port, on which tests make databases of
 * their own; and servers of a test's own, to stop and start, from the programs on the machine.
 */
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { chownSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout } from 'node:timers/promises';
import pg from 'pg';
import { freePort } from './port.js';

export const DEFAULT_SERVER = process.env['TEST_POSTGRES_URL'] ?? 'postgresql://postgres@127.0.0.1:5432/postgres';

export async function postgresql(): Promise<string | undefined> {
  const client = new pg.Client({ connectionString: DEFAULT_SERVER, connectionTimeoutMillis: 2000 });
  try {
    await client.connect();
    await client.end();
    return DEFAULT_SERVER;
  } catch (error) {
    process.stderr.write(
      `\n*** NOT TESTED: PostgreSQL does not answer (${String(error)}); set TEST_POSTGRES_URL. ***\n\n`,
    );
    return undefined;
  }
}

const databaseUrl = (server: string, name: string) => Object.assign(new URL(server), { pathname: `/${name}` }).href;

async function execute(server: string, sql: string): Promise<void> {
  const client = new pg.Client({ connectionString: server });
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}

/** An empty database, or a copy of the template; answers its address and how to drop it. */
export async function createDatabase(server: string, template = 'template1') {
  const name = `taskgate_test_${randomUUID().replaceAll('-', '')}`;
  await execute(server, `CREATE DATABASE ${name} TEMPLATE ${template}`);
  return {
    name,
    url: databaseUrl(server, name),
    drop: () => execute(server, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`),
  };
}

/** Where the server's programs are, on the PATH or where Debian puts them. */
function programs(): string | undefined {
  const folders = [
    ...(process.env['PATH'] ?? '').split(path.delimiter),
    ...(existsSync('/usr/lib/postgresql')
      ? readdirSync('/usr/lib/postgresql').map((version) => `/usr/lib/postgresql/${version}/bin`)
      : []),
  ];
  return folders.find((folder) => ['initdb', 'postgres'].every((name) => existsSync(path.join(folder, name))));
}

export const hasPostgresPrograms = programs() !== undefined;
if (!hasPostgresPrograms) {
  process.stderr.write('\n*** NOT TESTED: no initdb and postgres; a restart of PostgreSQL was not tried. ***\n\n');
}

/** A server of the test's own, on a port of its own. */
export async function startPostgres() {
  const folder = mkdtempSync(path.join(tmpdir(), 'taskgate-postgres-'));
  const data = path.join(folder, 'data');
  const bin = programs() ?? '';
  // PostgreSQL does not run as root.
  const user = process.getuid?.() === 0 ? idsOf('postgres') : undefined;
  if (user) chownSync(folder, user.uid, user.gid);
  const options = { ...user, cwd: folder, env: { PATH: process.env['PATH'] ?? '' } };
  execFileSync(path.join(bin, 'initdb'), ['-D', data, '-U', 'postgres', '-A', 'trust', '--no-sync'], {
    ...options,
    stdio: 'ignore',
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

function idsOf(name: string): { uid: number; gid: number } {
  const id = (flag: string) => Number(spawnSync('id', [flag, name]).stdout.toString());
  return { uid: id('-u'), gid: id('-g') };
}
