// npm run bench:overload: what becomes of the requests that are accepted while four times as many arrive as can be
// served. First the load that saturates the server (16 connections, as fast as answers come), then four times that
// rate, sent evenly whether or not answers come (autocannon sends a second's share at once), the first second of it
// apart, in which hundreds of connections are made; then one request after the other, to see how soon it is itself again.
import { mkdtempSync, rmSync } from 'node:fs';
import { Agent, request as send } from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import autocannon from 'autocannon';
import { seed, start } from './fixture.mjs';

const SECONDS = Number(process.env.SECONDS ?? 10);
const ROUNDS = Number(process.env.ROUNDS ?? 3);

const folder = mkdtempSync(path.join(tmpdir(), 'taskgate-bench-'));
const file = path.join(folder, 'bench.db');
const { key } = await seed(`file:${file}`, 1000);
const server = await start('taskgate.mjs', file);
process.on('exit', () => {
  server.process.kill();
  rmSync(folder, { recursive: true });
});

const request = {
  url: `http://127.0.0.1:${server.port}/graphql`,
  method: 'POST',
  headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
  body: JSON.stringify({ query: '{ tasks(first: 20) { nodes { id title status project { id name } } } }' }),
};

/** Runs a load; answers the milliseconds of each answer by status, and how many there were a second. */
async function load(options) {
  const times = new Map();
  const instance = autocannon({ ...request, ...options });
  instance.on('response', (_client, status, _bytes, ms) => {
    if (!times.has(status)) times.set(status, []);
    times.get(status).push(ms);
  });
  const { errors, duration } = await instance;
  for (const list of times.values()) list.sort((a, b) => a - b);
  return { times, errors, duration };
}
/** The same, with requests sent at an even rate over as many connections as it takes; times count from when each was due. */
async function flood(rate, seconds, agent) {
  const times = new Map();
  let [sent, open, errors] = [0, 0, 0];
  const started = performance.now();
  const one = (due) => {
    open += 1;
    const call = send(request.url, { method: 'POST', headers: request.headers, agent }, (response) => {
      response.resume();
      response.once('end', () => {
        open -= 1;
        if (!times.has(response.statusCode)) times.set(response.statusCode, []);
        times.get(response.statusCode).push(performance.now() - due);
      });
    });
    call.once('error', () => {
      open -= 1;
      errors += 1;
    });
    call.end(request.body);
  };
  while (performance.now() - started < seconds * 1000) {
    const due = ((performance.now() - started) / 1000) * rate;
    for (; sent < due; sent += 1) one(started + (sent / rate) * 1000);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  while (open > 0) await new Promise((resolve) => setTimeout(resolve, 5));
  for (const list of times.values()) list.sort((a, b) => a - b);
  return { times, errors, duration: seconds };
}
const at = (sorted = [], share) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
const ms = (value) => value.toFixed(0).padStart(5);

await load({ connections: 16, duration: 3 });
console.log('             offered/s  accepted/s   p50    p99   refused/s   p50   p99   other');
for (let round = 0; round < ROUNDS; round += 1) {
  const calm = await load({ connections: 16, duration: SECONDS });
  const rate = calm.times.get(200).length / calm.duration;
  print('saturated', rate, calm);
  const agent = new Agent({ keepAlive: true, maxSockets: 2000 });
  const first = await flood(rate * 4, 1, agent);
  print('its 1st s', rate * 4, first);
  const flooded = await flood(rate * 4, SECONDS, agent);
  print('4 times it', rate * 4, flooded);
  agent.destroy();
  const p99 = [calm, flooded].map(({ times }) => at(times.get(200), 0.99));
  const ended = performance.now();
  let refusedLast = 0;
  while (performance.now() - ended < 2000) {
    const { status } = await fetch(request.url, request);
    if (status !== 200) refusedLast = performance.now() - ended;
  }
  console.log(
    `  p99 of the accepted ${(p99[1] / p99[0]).toFixed(2)} times that at saturation; last refusal ${refusedLast.toFixed(0)} ms after the flood`,
  );
}
process.exit(0);

function print(name, offered, { times, errors, duration }) {
  const accepted = times.get(200) ?? [];
  const refused = [...(times.get(503) ?? []), ...(times.get(429) ?? [])].sort((a, b) => a - b);
  const other = [...times].filter(([status]) => ![200, 503, 429].includes(status)).flatMap(([, list]) => list).length;
  console.log(
    `${name.padEnd(12)} ${offered.toFixed(0).padStart(9)} ${(accepted.length / duration).toFixed(0).padStart(11)} ` +
      `${ms(at(accepted, 0.5))}  ${ms(at(accepted, 0.99))} ${(refused.length / duration).toFixed(0).padStart(11)} ` +
      `${ms(at(refused, 0.5))} ${ms(at(refused, 0.99))} ${String(other + errors).padStart(7)}`,
  );
}
