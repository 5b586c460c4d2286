/** The README's examples, run as they stand (apart from the port). */
import { execFile, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SCOPES } from '../src/scopes/scope.js';
import { startTestServer, type TestServer } from './support/server.js';

const readme = readFileSync('README.md', 'utf8');
const blocks = [...readme.matchAll(/```(\w+)\n([\s\S]*?)```/g)].map(([, language, code]) => ({
  language,
  code: code ?? '',
}));

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer();
});
afterAll(() => server.stop());

async function run(command: string, args: string[], code: string) {
  const env = { ...process.env, TASKGATE_KEY: server.adminKey, DATABASE_URL: server.config.databaseUrl };
  const local = code.replaceAll('http://127.0.0.1:4000', server.origin);
  return (await promisify(execFile)(command, [...args, local], { env })).stdout;
}

describe('the README', () => {
  it('gives both lines', () => {
    expect(readme).toContain('npm ci && npm start');
    expect(readme).toContain('npm ci && npm test');
  });

  const curls = blocks.filter(({ code }) => code.startsWith('curl'));
  it.each(curls.filter(({ code }) => code.includes('/graphql')))('curl line $#', async ({ code }) => {
    const answer = JSON.parse(await run('bash', ['-c'], code));
    expect(answer.errors).toBeUndefined();
    expect(JSON.stringify(answer.data)).toMatch(/Write it down|projects:read/);
  });

  it('REST lines, one for each system', async () => {
    const lines = curls.filter(({ code }) => !code.includes('/graphql')).flatMap(({ code }) => code.trim().split('\n'));
    expect(lines).toHaveLength(5);
    for (const line of lines) {
      const answer = JSON.parse(await run('bash', ['-c'], line));
      expect(Array.isArray(answer) || Array.isArray(answer.data), line).toBe(true);
    }
  });

  it.each(blocks.filter(({ language }) => language === 'js'))('JavaScript $#', async ({ code }) => {
    expect(await run('node', ['--input-type=module', '-e'], code)).toContain('Write it down');
  });

  it('makes a key by the command that it gives', async () => {
    const line = blocks.find(({ code }) => code.includes('keys create'))?.code ?? '';
    expect(await run('bash', ['-c'], line)).toMatch(/sk_live_[0-9A-Za-z]{49}/);
  });

  it('docs/rest.md gets a token by the line that it gives', async () => {
    const [, line = ''] = /```sh\n(curl[^`]+)```/.exec(readFileSync('docs/rest.md', 'utf8')) ?? [];
    const { id } = await server.system.apiKey.findFirstOrThrow({ orderBy: { createdAt: 'asc' } });
    expect(JSON.parse(await run('bash', ['-c'], `KEY_ID=${id}; ${line}`))).toMatchObject({ token_type: 'Bearer' });
  });

  it('docs/documents.md registers a document by the line that it gives', async () => {
    const [, line = ''] = /```sh\n(curl[^`]+)```/.exec(readFileSync('docs/documents.md', 'utf8')) ?? [];
    expect(JSON.parse(await run('bash', ['-c'], line)).data.addTrustedDocument.document.scopes).toEqual(['tasks:read']);
  });

  it('docs/board.md subscribes by the line that it gives', async () => {
    const [, line = ''] = /```sh\n(curl -sN[^`]+)```/.exec(readFileSync('docs/board.md', 'utf8')) ?? [];
    const env = { ...process.env, TASKGATE_KEY: server.adminKey };
    const child = spawn('bash', ['-c', `exec ${line.replaceAll('http://127.0.0.1:4000', server.origin)}`], { env });
    let output = '';
    child.stdout.on('data', (chunk) => {
      output += String(chunk);
    });
    const timer = setInterval(
      () => void server.gql('mutation { createTask(input: { title: "Heard" }) { task { id } } }'),
      200,
    );
    const until = performance.now() + 20_000;
    while (!output.includes('Heard') && performance.now() < until) await setTimeout(50);
    clearInterval(timer);
    child.kill();
    expect(output).toMatch(/event: next\ndata: \{"data":\{"taskChanged":\{"action":"CREATED"/);
  });

  it('lists every scope', () => {
    const table = /<!-- scopes -->([\s\S]*)<!-- \/scopes -->/.exec(readme)?.[1] ?? '';
    const rows = [...table.matchAll(/^\| `(\S+)` +\| (.*?) +\|$/gm)].map(([, scope, text]) => [scope, text]);
    expect(rows).toEqual(Object.entries(SCOPES));
  });

  it('names every variable that is read', () => {
    const source = readFileSync('src/config.ts', 'utf8');
    const names = [...source.matchAll(/^ {2}([A-Z_]+):/gm)].map(([, name]) => name ?? '');
    const unfinished = ['NODE_ENV'];
    for (const name of names.filter((item) => !unfinished.includes(item))) expect(readme).toContain(`\`${name}\``);
  });
});
