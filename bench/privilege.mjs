// npm run bench:privilege: what it costs to know the scopes of an operation, and what a key that is locked to operations
// costs a request; the loads interleaved in one run, as ratios to a key that is not locked. SECONDS, ROUNDS and CONNECTIONS may be set.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parse, validate } from 'graphql';
import { serverActor } from '../dist/modules/audit/entry.js';
import { openDatabase } from '../dist/modules/db/database.js';
import { UnitOfWork } from '../dist/modules/db/unitOfWork.js';
import { schema } from '../dist/modules/graphql/schema/schema.js';
import { ApiKeyService } from '../dist/modules/keys/apiKeyService.js';
import { Plans } from '../dist/modules/keys/plans.js';
import { compileDocument } from '../dist/modules/operations/document.js';
import { describeOperations, pinned } from '../dist/modules/operations/keyOperations.js';
import { fewestScopes, neededFields } from '../dist/modules/operations/neededScopes.js';
import { selectedFields } from '../dist/modules/operations/selectedFields.js';
import { scopeSet } from '../dist/modules/scopes/scope.js';
import { seed, start } from './fixture.mjs';
import { load } from './load.mjs';

const SECONDS = Number(process.env.SECONDS ?? 3);
const ROUNDS = Number(process.env.ROUNDS ?? 7);
const CONNECTIONS = Number(process.env.CONNECTIONS ?? 16);
const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];

// Fifty fields: lists, rows, relations; each document another.
const ROW =
  'id number title status priority dueDate tags createdAt updatedAt project { id name slug } assignee { id name email }';
const document = (index) =>
  `query Unseen${index} { ${['a', 'b', 'c'].map((alias) => `${alias}${index}: tasks(first: ${1 + (index % 9)}) { nodes { ${ROW} } }`).join(' ')} }`;
const held = scopeSet(['tasks:read']);
const asking = { keyId: 'key_x', variables: {} };
const times = { analysis: [], whole: [], seen: [] };
for (let index = 0; index < 1500; index += 1) {
  const text = document(index);
  const ast = parse(text);
  validate(schema, ast);
  const [definition] = ast.definitions;
  let began = performance.now();
  fewestScopes(neededFields(selectedFields(schema, ast, definition)));
  const analysis = performance.now() - began;
  began = performance.now();
  const operation = compileDocument(schema, text).operation();
  operation.reachFor(held, asking);
  const whole = performance.now() - began;
  began = performance.now();
  operation.reachFor(held, asking);
  const seen = performance.now() - began;
  // The first ones warm up.
  if (index < 500) continue;
  times.analysis.push(analysis);
  times.whole.push(whole);
  times.seen.push(seen);
}
const fields = compileDocument(schema, document(0)).operation().fields.length;
console.log(`a document of ${fields} fields, median of ${times.analysis.length}:`);
console.log(`  its scopes, not seen before        ${median(times.analysis).toFixed(4)} ms`);
console.log(`  parsed, validated, measured as well ${median(times.whole).toFixed(4)} ms`);
console.log(`  seen before                        ${median(times.seen).toFixed(4)} ms\n`);

const folder = mkdtempSync(path.join(tmpdir(), 'taskgate-bench-'));
const file = path.join(folder, 'bench.db');
const { key, taskId } = await seed(`file:${file}`, 1000);
const LIST = 'query List { tasks(first: 20) { nodes { id title status project { id name } } } }';
const ONE = 'query One($id: ID!) { task(id: $id) { id title status } }';
const others = Array.from(
  { length: 998 },
  (_, index) =>
    `query Other${index} { tasks(first: ${1 + (index % 50)}) { nodes { id ${index % 2 ? 'title' : ''} } } }`,
);
const keys = {
  'not locked': key,
  'locked to 2': await lockedTo([LIST, ONE]),
  'locked to 1,000': await lockedTo([LIST, ONE, ...others]),
};
const server = await start('taskgate.mjs', file);
process.on('exit', () => {
  server.process.kill();
  rmSync(folder, { recursive: true });
});

async function lockedTo(texts) {
  const database = await openDatabase({ provider: 'sqlite', databaseUrl: `file:${file}` });
  const { id: workspaceId } = await database.system.workspace.findFirstOrThrow();
  const service = new ApiKeyService(new UnitOfWork(database, console.error), new Plans());
  const actor = { ...serverActor({ workspaceId, environment: 'LIVE' }, 'bench') };
  const operations = pinned(await describeOperations(schema, texts), []);
  const made = await service.create(actor, 'operator', {
    name: 'bench',
    scopes: ['tasks:read', 'projects:read'],
    operations: { operations, lock: true },
  });
  await database.close();
  return made.key;
}

const requests = { list: { query: LIST }, 'by id': { query: ONE, variables: { id: taskId } } };
const results = {};
for (let round = 0; round <= ROUNDS; round += 1) {
  for (const [what, body] of Object.entries(requests)) {
    // Each begins as often as the others.
    const turn = Object.entries(keys);
    for (let first = round % turn.length; first > 0; first -= 1) turn.push(turn.shift());
    for (const [name, credential] of turn) {
      const { rate } = await load(server.port, body, { credential, seconds: SECONDS, connections: CONNECTIONS });
      // The first round warms up.
      if (round > 0) {
        results[what] ??= {};
        results[what][name] ??= [];
        results[what][name].push(rate);
      }
      process.stderr.write('.');
    }
  }
}
process.stderr.write('\n');
console.log(
  `${ROUNDS} rounds of ${SECONDS} s, ${CONNECTIONS} connections; requests a second, and ratio to a key that is not locked in the same round,`,
);
console.log('median (least to most)\n');
for (const [what, byKey] of Object.entries(results)) {
  for (const [name, rates] of Object.entries(byKey)) {
    const ratios = rates.map((rate, round) => rate / byKey['not locked'][round]);
    const spread = `${Math.min(...ratios).toFixed(2)} to ${Math.max(...ratios).toFixed(2)}`;
    console.log(
      `${what.padEnd(7)} ${name.padEnd(16)} ${median(rates).toFixed(0).padStart(6)}/s  ${median(ratios).toFixed(3)} (${spread})`,
    );
  }
}
process.exit(0);
