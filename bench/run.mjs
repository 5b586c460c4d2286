// npm run bench: list, by-id, create and bad-key loads, interleaved with the bare peer in one run and printed as
// ratios to it; absolute figures of a shared machine mean little. SECONDS, ROUNDS and CONNECTIONS may be set.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { generateKey } from '../dist/modules/keys/format.js';
import { seed, start } from './fixture.mjs';
import { load as send } from './load.mjs';

const SECONDS = Number(process.env.SECONDS ?? 4);
const ROUNDS = Number(process.env.ROUNDS ?? 3);
const CONNECTIONS = Number(process.env.CONNECTIONS ?? 16);

const folder = mkdtempSync(path.join(tmpdir(), 'taskgate-bench-'));
const file = path.join(folder, 'bench.db');
const { key, taskId } = await seed(`file:${file}`, 1000);

const bare = await start('bare.mjs', file);
const taskgate = await start('taskgate.mjs', file);
process.on('exit', () => {
  bare.process.kill();
  taskgate.process.kill();
  rmSync(folder, { recursive: true });
});
const load = (port, query, variables, credential = key, expected = 200) =>
  send(port, { query, variables }, { credential, seconds: SECONDS, connections: CONNECTIONS, expected });
const list = '{ tasks(first: 20) { nodes { id title status project { id name } } } }';
const loads = {
  'bare list': () => load(bare.port, list),
  list: () => load(taskgate.port, list),
  'by id': () => load(taskgate.port, 'query($id: ID!) { task(id: $id) { id title status } }', { id: taskId }),
  create: () => load(taskgate.port, 'mutation { createTask(input: { title: "Bench" }) { task { id } } }'),
  'bad key': () => load(taskgate.port, list, undefined, generateKey('LIVE'), 401),
};

/** @type {Record<string, { rate: number, p99: number }[]>} */
const results = Object.fromEntries(Object.keys(loads).map((name) => [name, []]));
for (let round = 0; round <= ROUNDS; round += 1) {
  for (const [name, run] of Object.entries(loads)) {
    const result = await run();
    // The first round warms up.
    if (round > 0) results[name].push(result);
    process.stderr.write('.');
  }
}
process.stderr.write('\n');

const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];
const base = median(results['bare list'].map(({ rate }) => rate));
console.log(`${ROUNDS} rounds of ${SECONDS} s, ${CONNECTIONS} connections, medians\n`);
console.log('load          requests/s   p99 ms   to bare list');
for (const [name, runs] of Object.entries(results)) {
  const rate = median(runs.map((run) => run.rate));
  const p99 = median(runs.map((run) => run.p99));
  console.log(
    `${name.padEnd(12)} ${rate.toFixed(0).padStart(11)} ${String(p99).padStart(8)} ${(rate / base).toFixed(3).padStart(14)}`,
  );
}
process.exit(0);
