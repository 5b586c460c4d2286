/** The proxy of the deployment, with its own configuration, before servers on this machine. */
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { makeCertificate } from './certificate.js';
import { freePort } from './port.js';

const version = /nginx\/(\d+)\.(\d+)/.exec(spawnSync('nginx', ['-v']).stderr?.toString() ?? '');
export const hasNginx = version !== null;
if (!hasNginx)
  process.stderr.write('\n*** NOT TESTED: no nginx on the PATH; the deployment behind it was not tried. ***\n\n');

/** Whether the directive "http2" is known; before, it was a parameter of "listen". */
const knowsHttp2 = Number(version?.[1]) > 1 || Number(version?.[2]) >= 25;

/** @param ports of the servers, which listen on 127.0.0.1 */
export async function startNginx(file: string, ports: readonly number[]) {
  const folder = mkdtempSync(path.join(tmpdir(), 'taskgate-nginx-'));
  const at = (name: string) => path.join(folder, name);
  makeCertificate(folder);
  const port = await freePort();
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((of) => `${of}_temp_path ${at(of)};`);
  const replaced: readonly (readonly [RegExp, string])[] = [
    // The names that Docker resolves are the addresses here.
    [/^ *resolver .*$/m, ''],
    [/^ *server taskgate:4000 resolve (.*)$/m, ports.map((each) => `server 127.0.0.1:${each} $1`).join('\n')],
    [/listen 443 ssl;/, `listen 127.0.0.1:${port} ssl;`],
    [/\/etc\/nginx\/tls/g, folder],
    [/^http \{$/m, `http {\naccess_log off;\n${temporary.join('\n')}`],
    ...(knowsHttp2 ? [] : ([[/^ *http2 on;$/m, '']] as const)),
  ];
  const text = replaced.reduce(
    (before, [what, by]) => {
      if (before.search(what) === -1) throw new Error(`${file} has no ${what}`);
      return before.replace(what, by);
    },
    readFileSync(file, 'utf8'),
  );
  writeFileSync(at('nginx.conf'), text);
  const globals = `daemon off; pid ${at('pid')}; error_log ${at('error.log')} warn;${process.getuid?.() === 0 ? ' user root;' : ''}`;
  const child = spawn('nginx', ['-p', folder, '-c', at('nginx.conf'), '-g', globals], { stdio: 'inherit' });
  const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const url = `https://127.0.0.1:${port}`;
  const answers = () =>
    fetch(url.replace('https', 'http')).then(
      () => true,
      () => false,
    );
  for (let i = 0; !(await answers()); i += 1) {
    if (i === 100 || child.exitCode !== null) throw new Error(`nginx does not start: ${readFileSync(at('error.log'))}`);
    await setTimeout(50);
  }
  return {
    url,
    async stop() {
      child.kill('SIGTERM');
      await gone;
      rmSync(folder, { recursive: true });
    },
  };
}
