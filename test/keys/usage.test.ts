/** What keys were used for is counted and told. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { openDatabase } from '../../src/db/database.js';
import { startTestServer, type TestServer } from '../support/server.js';

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer({ TRUST_PROXY: '127.0.0.1' });
});
afterAll(() => server.stop());

describe('usage', () => {
  let key: string;
  let id: string;
  beforeEach(async () => {
    const made = await server.createKey(['tasks:*', 'projects:read', 'users:read']);
    key = made.key;
    id = made.apiKey.id;
  });

  it('is exact in sum: by day, operation, scope and status, with the last use', async () => {
    await Promise.all(Array.from({ length: 40 }, () => server.gql('query List { tasks { totalCount } }', {}, key)));
    await server.gql('mutation Add { createTask(input: { title: "x" }) { task { id } } }', {}, key);
    await server.post(JSON.stringify({ query: '{ nonsense }' }), key, {
      'user-agent': 'tester/1',
      'x-forwarded-for': '198.51.100.7',
    });
    await server.flushUsage();
    const { data } = await server.gql(
      'query ($id: ID!) { apiKey(id: $id) { lastUsedAt lastUsedIp lastUsedUserAgent requestsToday requestsThisMonth unusedScopes usage { total byDay { day count } byOperation { name count } byScope { name count } byStatus { name count } } } }',
      { id },
    );
    const today = server.clock().toISOString().slice(0, 10);
    expect(data.apiKey).toMatchObject({
      lastUsedIp: '198.51.100.7',
      lastUsedUserAgent: 'tester/1',
      requestsToday: 42,
      requestsThisMonth: 42,
      unusedScopes: ['projects:read', 'users:read'],
      usage: {
        total: 42,
        byDay: [{ day: today, count: 42 }],
        byOperation: [
          { name: 'List', count: 40 },
          { name: 'Add', count: 1 },
        ],
        byScope: [
          { name: 'tasks:read', count: 40 },
          { name: 'tasks:write', count: 1 },
        ],
        byStatus: expect.arrayContaining([{ name: '200', count: 42 }]),
      },
    });
  });

  it('keeps 200 names of operations a day, and counts all others as one, however many batches they come in', async () => {
    const { key: many, apiKey } = await server.createKey(['tasks:read']);
    for (let batch = 0; batch < 3; batch += 1) {
      for (let at = 0; at < 90; at += 30) {
        await Promise.all(
          Array.from({ length: 30 }, (_, i) =>
            server.gql(`query N${batch}_${at + i} { viewer { environment } }`, {}, many),
          ),
        );
      }
      await server.flushUsage();
    }
    const rows = await server.system.apiKeyUsage.findMany({ where: { keyId: apiKey.id, dimension: 'operation' } });
    expect(rows.length).toBe(201);
    expect(rows.find(({ value }) => value === 'other')?.count).toBe(70);
    expect(rows.reduce((sum, row) => sum + row.count, 0)).toBe(270);
    // Names that are known go on being counted, by a process that did not see them written either.
    const { UsageRecorder } = await import('../../src/keys/usage.js');
    const elsewhere = new UsageRecorder(
      server.services.database,
      (error) => {
        throw error;
      },
      server.clock,
    );
    for (const name of ['N0_0', 'Other_1', 'Other_2']) {
      elsewhere.record({ key: apiKey, operations: [name], scopes: [], status: 200, ip: null, userAgent: null });
    }
    await elsewhere.close();
    const after = await server.system.apiKeyUsage.findMany({ where: { keyId: apiKey.id, dimension: 'operation' } });
    expect([after.length, after.find(({ value }) => value === 'other')?.count]).toEqual([201, 72]);
    expect(after.find(({ value }) => value === 'N0_0')?.count).toBe(2);
  });

  it('never writes the row of the key', async () => {
    const before = server.queries.length;
    await server.gql('{ tasks { totalCount } }', {}, key);
    await server.flushUsage();
    const writes = server.queries.slice(before).filter((sql) => /\b(INSERT|UPDATE|DELETE)\b/.test(sql));
    expect(writes.some((sql) => sql.includes('ApiKeyUsage'))).toBe(true);
    expect(writes.filter((sql) => /\b(INTO|UPDATE|FROM) (["`]?public["`]?\.)?["`]ApiKey["`]/.test(sql))).toEqual([]);
  });

  it('is written before the server stops', async () => {
    const own = await startTestServer();
    for (let i = 0; i < 3; i += 1) await own.gql('{ viewer { environment } }');
    await own.halt();
    const database = await openDatabase(own.config);
    expect(await database.system.apiKeyUsage.findMany({ where: { dimension: 'total' } })).toMatchObject([{ count: 3 }]);
    await database.close();
    await own.stop();
  });
});
