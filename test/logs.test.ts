/** A key is shown once, and then nowhere: not in a log line, not in the database, not in an error. */
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { generateKey } from '../src/keys/format.js';
import { createLogger } from '../src/server/logger.js';
import { type GraphQLAnswer, startTestServer, type TestServer } from './support/server.js';

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer();
});
afterAll(() => server.stop());

it('a key made, used, misused, quoted in a query and revoked is found in no log line, no file and no audit event', async () => {
  const made = await server.gql(
    'mutation { createApiKey(input: { name: "secret", scopes: ["tasks:write"] }) { key apiKey { id prefix } } }',
  );
  const { key, apiKey } = made.data.createApiKey;
  const unknown = generateKey('LIVE');
  const answers = [
    await server.gql('mutation { createTask(input: { title: "x" }) { task { id } } }', {}, key),
    await server.gql(`{ task(id: "${key}") { id } }`, {}, key),
    await server.gql(`query ${key} { viewer { environment } }`, {}, key),
    // In what is kept of a request beside what it asks, in the form that most clients send, and in another.
    ...(await Promise.all(
      ['application/json', 'application/json; charset=utf-8'].map(async (type) => {
        const headers = { 'content-type': type, 'x-api-key': server.adminKey, 'x-request-id': key, 'user-agent': key };
        const body = '{"query":"{ viewer { environment } }"}';
        return (
          await fetch(`${server.origin}/graphql`, { method: 'POST', headers, body })
        ).json() as Promise<GraphQLAnswer>;
      }),
    )),
    // Where what is kept of a name or a path would end within it.
    await server.gql(`query ${'x'.repeat(60)}_${key} { viewer { environment } }`, {}, key),
    await server.gql(`{ tasks(search: "${key}") { totalCount } shoe }`, {}, key),
    await server.gql('{ viewer { environment } }', {}, unknown),
    await server.gql('mutation ($id: ID!) { revokeApiKey(input: { id: $id }) { apiKey { status } } }', {
      id: apiKey.id,
    }),
    await server.gql('{ viewer { environment } }', {}, key),
  ];
  await fetch(`${server.origin}/nothing?key=${key}`);
  await fetch(`${server.origin}/${'x'.repeat(460)}/${key}`);
  await fetch(`${server.origin}/v1/api-keys/${key}`, { headers: { 'x-api-key': server.adminKey } });
  expect(answers.at(-1)?.errors?.[0]?.extensions['code']).toBe('UNAUTHENTICATED');
  expect(apiKey.prefix).toBe(`${key.slice(0, 11)}...`);

  await server.flushUsage();
  const files = readdirSync(server.folder).map((name) => readFileSync(path.join(server.folder, name), 'latin1'));
  const audit = JSON.stringify(await server.system.auditEvent.findMany());
  for (const secret of [key, unknown, server.adminKey]) {
    expect(server.logLines.join('')).not.toContain(secret);
    expect(server.logLines.join('')).not.toContain(secret.slice(0, 20));
    expect(files.join('')).not.toContain(secret);
    expect(audit).not.toContain(secret);
  }
  expect(server.logLines.length).toBeGreaterThan(5);
});

it('an error that quotes a key is logged without it', () => {
  const lines: string[] = [];
  const key = generateKey('TEST');
  const logger = createLogger({ logLevel: 'info' }, { write: (line) => void lines.push(line) });
  logger.error({ err: new Error(`bad value ${key} here`) }, 'failed');
  expect(lines.join('')).toContain('sk_test_[redacted]');
  expect(lines.join('')).not.toContain(key);
});
