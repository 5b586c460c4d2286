/** The transcripts of docs/keys.md, run as written; ids, keys and times differ from run to run and are matched by their place. */
import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, expect, it } from 'vitest';
import { generateKey } from '../src/keys/format.js';

const folder = mkdtempSync(path.join(tmpdir(), 'taskgate-docs-'));
afterAll(() => rmSync(folder, { recursive: true }));

const VARYING =
  /key_[0-9a-f-]{36}|sk_(?:live|test)_[0-9A-Za-z]{49}|sk_(?:live|test)_[0-9A-Za-z]{3}\.\.\.|\d{4}-\d\d-\d\dT[\d:.]+Z/g;

it('docs/keys.md shows what the command prints', async () => {
  const text = readFileSync('docs/keys.md', 'utf8');
  const actual = new Map<string, string>();
  const env = {
    PATH: process.env['PATH'],
    DATABASE_URL: `file:${folder}/docs.db`,
    TASKGATE_BOOTSTRAP_KEY: generateKey('LIVE'),
  };
  let commands = 0;
  for (const [, block = ''] of text.matchAll(/```console\n([\s\S]*?)```/g)) {
    for (const step of block.split(/^\$ /m).slice(1)) {
      const [command = '', ...lines] = step.split('\n');
      const script = `taskgate() { node ${path.resolve('dist/main.js')} "$@"; }; ${command.replace(VARYING, (token) => actual.get(token) ?? token)}`;
      const { stdout } = await promisify(execFile)('bash', ['-c', script], { env, cwd: folder }).catch(
        (error) => error,
      );
      const expected = lines.join('\n');
      expect(stdout.replace(VARYING, '*'), command).toBe(expected.replace(VARYING, '*'));
      const seen = stdout.match(VARYING) ?? [];
      for (const [index, token] of (expected.match(VARYING) ?? []).entries()) actual.set(token, seen[index] ?? '');
      commands += 1;
    }
  }
  expect(commands).toBeGreaterThan(8);
});

it.each(['docs/architecture.md', 'CONTRIBUTING.md'])('%s names files that there are', (file) => {
  const names = [...readFileSync(file, 'utf8').matchAll(/`((?:src|test|prisma|docs|scripts)\/[\w./-]*\w)`/g)];
  expect(names.length).toBeGreaterThan(2);
  for (const [, name = ''] of names) expect(existsSync(name), name).toBe(true);
});
