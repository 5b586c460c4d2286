/** What is told of a database that goes away and comes back. */
import { expect, it } from 'vitest';
import { Outages } from '../../src/db/outages.js';

function outages() {
  const told: string[] = [];
  let now = 0;
  const watched = new Outages(
    { began: (outage, reason) => told.push(`${outage}: ${reason}`), ended: (outage) => told.push(`no more ${outage}`) },
    () => now,
  );
  return { told, watched, pass: (milliseconds: number) => (now += milliseconds) };
}
const lost = Object.assign(new Error('in the client'), {
  cause: Object.assign(new Error('connect ECONNREFUSED 127.0.0.1:5432'), { code: 'ECONNREFUSED' }),
});
const full = Object.assign(new Error('database or disk is full'), { code: 'SQLITE_FULL' });

it('its beginning, why, and its end, however it comes and goes', () => {
  const { told, watched, pass } = outages();
  watched.statement('read', undefined);
  for (let i = 0; i < 1000; i += 1) {
    watched.statement('read', lost);
    // What was under way, or a replica answers.
    watched.statement('read', undefined);
  }
  const reason = 'out of reach: ECONNREFUSED: connect ECONNREFUSED 127.0.0.1:5432';
  expect(told).toEqual([reason]);
  pass(60_000);
  watched.statement('transaction', lost);
  expect(told).toEqual([reason, reason]);
  pass(5000);
  watched.statement('read', undefined);
  watched.statement('read', undefined);
  expect(told).toEqual([reason, reason, 'no more out of reach']);
  watched.statement('read', lost);
  pass(5000);
  watched.statement('read', undefined);
  expect(told).toHaveLength(3);
});

it('of one that cannot be written, until it is: reads say nothing of that', () => {
  const { told, watched, pass } = outages();
  watched.statement('write', full);
  pass(5000);
  watched.statement('read', undefined);
  watched.statement('write', full);
  expect(told).toHaveLength(1);
  pass(5000);
  watched.statement('transaction', undefined);
  expect(told).toEqual(['not writable: SQLITE_FULL: database or disk is full', 'no more not writable']);
});

it('nothing of a statement that is wrong', () => {
  const { told, watched } = outages();
  watched.statement('write', Object.assign(new Error('unique'), { code: 'SQLITE_CONSTRAINT_UNIQUE' }));
  expect(told).toEqual([]);
});
