/** The command as its own process. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { promisify } from 'node:util';

const children: ChildProcess[] = [];

/** Whatever a test left running. */
export function killServers(): void {
  for (const child of children) child.kill('SIGKILL');
}

export const environment = (values: Record<string, string>) => ({
  PATH: process.env['PATH'] ?? '',
  PORT: '0',
  ...values,
});

/** Runs a command to its end. */
export async function run(args: string[], values: Record<string, string> = {}) {
  try {
    const result = await promisify(execFile)(process.execPath, ['dist/main.js', ...args], { env: environment(values) });
    return { code: 0, ...result };
  } catch (error) {
    return error as { code: number; stdout: string; stderr: string };
  }
}

export type ServerProcess = Awaited<ReturnType<typeof serve>>;

/** Starts the server and waits for it to listen. */
export async function serve(values: Record<string, string>) {
  const child = spawn(process.execPath, ['dist/main.js', 'serve'], { env: environment(values) });
  children.push(child);
  let output = '';
  const exited = new Promise<number | null>((resolve) => child.once('exit', (code) => resolve(code)));
  const url = await new Promise<string>((resolve, reject) => {
    let listens: string | undefined;
    child.stdout.on('data', (chunk) => {
      output += chunk;
      if (listens !== undefined) return;
      listens = /listens on (\S+)\n(?=[\s\S]*Data .*\n)/.exec(output)?.[1];
      if (listens !== undefined) setTimeout(resolve, 50, listens);
    });
    child.stderr.on('data', (chunk) => {
      output += chunk;
    });
    void exited.then((code) => reject(new Error(`ended with ${code}: ${output}`)));
  });
  return { child, url, exited, output: () => output };
}
