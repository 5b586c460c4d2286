import { setImmediate } from 'node:timers/promises';
import type { SqlQuery, SqlResultSet } from '@prisma/driver-adapter-utils';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { BatchedRowVersions } from '../../src/db/rowVersions.js';
import type { Tenant } from '../../src/db/tenant.js';

const LIVE: Tenant = { workspaceId: 'w', environment: 'LIVE' };
const TEST: Tenant = { workspaceId: 'w', environment: 'TEST' };

/** Statements that were sent, each answered when the test says so. */
function statements() {
  const sent: { asked: Tenant[]; answer(changes: number): void; fail(): void }[] = [];
  const query = ({ args }: SqlQuery) =>
    new Promise<SqlResultSet>((resolve, reject) => {
      const asked = JSON.parse(String(args[0])) as Tenant[];
      sent.push({
        asked,
        answer: (changes) =>
          resolve({
            columnNames: [],
            columnTypes: [],
            rows: asked.map(({ workspaceId, environment }) => [workspaceId, environment, String(changes)]),
          }),
        fail: () => reject(new Error('away')),
      });
    });
  return { sent, versions: new BatchedRowVersions(query) };
}

/** Until what was asked is sent, which waits for others that come at once. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 5; turn += 1) await setImmediate();
}

describe('versions of rows on a database that is far', () => {
  beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] }));
  afterEach(() => void vi.useRealTimers());

  it('are read by one statement for all who came while the last one ran, and by none that was sent before', async () => {
    const { sent, versions } = statements();
    const first = versions.of(LIVE);
    await settled();
    const later = [versions.of(LIVE), versions.of(TEST), versions.of(LIVE)];
    await settled();
    expect(sent.map(({ asked }) => asked)).toEqual([[LIVE]]);
    sent[0]?.answer(1);
    expect(await first).toBe('1');
    await settled();
    expect(sent.map(({ asked }) => asked)).toEqual([[LIVE], [LIVE, TEST]]);
    sent[1]?.answer(2);
    expect(await Promise.all(later)).toEqual(['2', '2', '2']);
  });

  it('are not known where the statement fails, and asked for again', async () => {
    const { sent, versions } = statements();
    const first = versions.of(LIVE);
    await settled();
    sent[0]?.fail();
    expect(await first).toBeUndefined();
    const second = versions.of(LIVE);
    await settled();
    sent[1]?.answer(3);
    expect(await second).toBe('3');
  });

  it('are not waited for where the statement hangs, nor sent after it, until it has come back', async () => {
    const { sent, versions } = statements();
    const first = versions.of(LIVE);
    const waiting = settled().then(() => versions.of(LIVE));
    await settled();
    await vi.advanceTimersByTimeAsync(250);
    expect(await first).toBeUndefined();
    await settled();
    await vi.advanceTimersByTimeAsync(250);
    expect(await waiting).toBeUndefined();
    expect(await versions.of(LIVE)).toBeUndefined();
    const count = sent.length;
    for (const each of sent) each.answer(1);
    await settled();
    const again = versions.of(LIVE);
    await settled();
    expect(sent).toHaveLength(count + 1);
    sent.at(-1)?.answer(4);
    expect(await again).toBe('4');
  });
});
