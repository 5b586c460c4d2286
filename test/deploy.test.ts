/** The files for deployment: what can be checked of them without the engines that run them. */
import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';

const known = new Set([...readFileSync('src/config.ts', 'utf8').matchAll(/^ {2}([A-Z_]+):/gm)].map(([, name]) => name));

interface Service {
  readonly environment?: Record<string, string>;
  readonly build?: string;
  readonly depends_on?: Record<string, unknown>;
}

describe.each(['compose.yaml', 'deploy/compose.scaled.yaml'])('%s', (file) => {
  const compose = parse(readFileSync(file, 'utf8')) as { services: Record<string, Service>; volumes: object };
  it('names services that there are, and variables that the server reads', () => {
    expect(Object.keys(compose.services)).toContain('taskgate');
    for (const name of Object.keys(compose.services['taskgate']?.environment ?? {})) expect(known).toContain(name);
    for (const { depends_on = {} } of Object.values(compose.services)) {
      for (const name of Object.keys(depends_on)) expect(Object.keys(compose.services)).toContain(name);
    }
  });
});

describe('deploy/kubernetes/taskgate.yaml', () => {
  const documents = parseAllDocuments(readFileSync('deploy/kubernetes/taskgate.yaml', 'utf8'));
  it('is well-formed, asks the probes that there are, and names variables that the server reads', () => {
    for (const document of documents) expect(document.errors).toEqual([]);
    const [deployment] = documents.map((document) => document.toJS());
    const [container] = deployment.spec.template.spec.containers;
    for (const { name } of container.env as { name: string }[]) expect(known).toContain(name);
    const app = readFileSync('src/http/app.ts', 'utf8');
    for (const probe of ['startupProbe', 'livenessProbe', 'readinessProbe']) {
      expect(app).toContain(`'${container[probe].httpGet.path}'`);
    }
  });
});

describe('Dockerfile', () => {
  const text = readFileSync('Dockerfile', 'utf8');
  it('copies what there is, runs as nobody special, and sets variables that the server reads', () => {
    for (const [, list = ''] of text.matchAll(/^COPY (?!--from)(.+) \S+$/gm)) {
      for (const file of list.split(' ')) expect(existsSync(file), file).toBe(true);
    }
    expect(text).toMatch(/^USER node$/m);
    const [, variables = ''] = /^ENV (.+)$/m.exec(text) ?? [];
    for (const pair of variables.split(' ')) expect(known).toContain(pair.split('=')[0]);
  });
});
