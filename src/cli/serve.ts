import cluster from 'node:cluster';
import { Command } from 'commander';
import { type Config, readConfig } from '../config.js';
import { type Database, migrateDatabase, openDatabase } from '../db/database.js';
import { repair } from '../db/repairs.js';
import { sqliteFile } from '../db/sqlite.js';
import { refuseUnfit } from '../db/state.js';
import { bootstrap, DEFAULT_WORKSPACE } from '../keys/bootstrap.js';
import { inBlocks } from '../keys/network.js';
import { answerWorkers } from '../limits/primaryProcess.js';
import { relayMessages } from '../messaging/bus.js';
import { releaseHeap } from '../server/heap.js';
import type { RunningServer } from '../server/listen.js';
import { listenForMetrics } from '../server/metricsServer.js';
import { localAddress } from './address.js';
import { answerWatch, watchPrimary } from './primaryWatch.js';
import type { ProcessVariables } from './processVariables.js';
import { addSampleData } from './sampleData.js';

export function serveCommand(variables: ProcessVariables): Command {
  return new Command('serve')
    .description('migrate, make the first key on a first run, and listen')
    .exitOverride()
    .action(async () => {
      const config = readConfig(variables);
      if (config.workers > 1 && cluster.isPrimary) await servePrimary(config);
      else await serve(config, !cluster.isWorker);
    });
}

async function serve(config: Config, alone: boolean): Promise<void> {
  const firstKey = alone ? await prepare(config) : undefined;
  // The other commands, and the first process of several, do without: it takes most of the time that a command starts in.
  const { startServer } = await import('../server/listen.js');
  const server = await startServer(config);
  releaseHeap();
  if (alone) announce(config, server.url, firstKey);
  else {
    process.send?.({ listening: server.url });
    watchPrimary(() => {
      process.stderr.write('The primary process does not answer; ending it.\n');
      process.kill(process.ppid, 'SIGKILL');
    });
  }
  stopOnSignal(server);
}

/** Milliseconds: a worker that lived for less is not replaced sooner than that. */
const SHORT_LIFE = 1000;

/** Workers share the port; the primary prepares the database, and starts a worker again that died. */
async function servePrimary(config: Config): Promise<void> {
  const firstKey = await prepare(config);
  let stopping = false;
  let announced = false;
  relayMessages();
  answerWorkers();
  answerWatch((worker) => {
    process.stderr.write(`Worker ${worker.process.pid} does not answer; ending it.\n`);
    worker.process.kill('SIGKILL');
  });
  await listenForMetrics(config);
  const started = new Map<number, number>();
  const fork = () => started.set(cluster.fork().id, performance.now());
  for (let index = 0; index < config.workers; index += 1) fork();
  cluster.on('message', (_worker, message: { listening?: string }) => {
    if (message.listening === undefined || announced) return;
    announced = true;
    announce(config, message.listening, firstKey);
  });
  cluster.on('exit', (worker, code) => {
    if (stopping) return;
    if (!announced) {
      stopping = true;
      process.exitCode = code || 1;
      for (const other of Object.values(cluster.workers ?? {})) other?.kill('SIGTERM');
      return;
    }
    process.stderr.write(`Worker ${worker.process.pid} ended (${code}); starting another.\n`);
    // One that cannot start would keep the machine busy with starting it.
    const lived = performance.now() - (started.get(worker.id) ?? 0);
    started.delete(worker.id);
    setTimeout(
      () => {
        if (!stopping) fork();
      },
      lived < SHORT_LIFE ? SHORT_LIFE : 0,
    );
  });
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.once(signal, () => {
      stopping = true;
      for (const worker of Object.values(cluster.workers ?? {})) worker?.kill('SIGTERM');
    });
  }
}

/** Migrations, then the first key; the key is returned only if it was made here. */
async function prepare(config: Config): Promise<string | undefined> {
  await migrateDatabase(config);
  const database = await openDatabase(config);
  try {
    await refuseUnfit(database.system);
    await repair(database.system);
    const fresh = (await database.system.apiKey.findFirst({ select: { id: true } })) === null;
    const key = await bootstrap(database, config);
    // At once: nobody is shown it later, whatever comes of the start.
    if (key !== undefined) {
      process.stdout.write(`This is the first admin key. It is shown once; keep it in a safe place:\n\n  ${key}\n\n`);
    }
    for (const line of await planWarnings(database, config)) process.stderr.write(`${line}\n`);
    if (fresh && config.sampleData) await addSampleData(database);
    return key;
  } finally {
    await database.close();
  }
}

/** What an operator would otherwise take for granted of the plans. */
async function planWarnings({ system }: Database, config: Config): Promise<string[]> {
  const workspaces = await system.workspace.findMany({ select: { slug: true, plan: true } });
  const first = workspaces.find(({ slug }) => slug === DEFAULT_WORKSPACE);
  const lost = workspaces.filter(({ plan }) => !config.plans.has(plan));
  const how = (slug: string) => `taskgate workspaces update ${slug} --plan`;
  return [
    ...(config.isPlanStated && first && first.plan !== config.defaultPlan
      ? [
          `DEFAULT_PLAN is ${config.defaultPlan}, and the workspace ${first.slug} has the plan ${first.plan}, which holds: DEFAULT_PLAN is for new ones (${how(first.slug)} ${config.defaultPlan}).`,
        ]
      : []),
    ...lost.map(
      ({ slug, plan }) =>
        `The workspace ${slug} has the plan ${plan}, which PLANS_FILE does not have; the smallest limits hold (${how(slug)} ...).`,
    ),
  ];
}

function announce(config: Config, url: string, firstKey: string | undefined): void {
  const here = url.replace(/\/\/(0\.0\.0\.0|\[::\])/, `//${localAddress(config.host)}`);
  const lines = [
    `Taskgate listens on ${url}`,
    `  Dashboard   ${here}/`,
    `  Playground  ${here}/graphql`,
    `  Data        ${config.provider === 'sqlite' ? sqliteFile(config.databaseUrl) : 'PostgreSQL'}`,
  ];
  if (firstKey !== undefined) {
    const { options, address, notes } = wayIn(config, here);
    lines.push(
      '',
      'Try it:',
      '',
      // Where only trusted documents run there is none yet.
      ...(config.trustedOnly
        ? [`  curl ${options}${address}/v1/tasks -H 'Authorization: Bearer ${firstKey}'`]
        : [
            `  curl ${options}${address}/graphql -H 'Authorization: Bearer ${firstKey}' -H 'Content-Type: application/json' \\`,
            `    -d '{"query":"{ viewer { scopes } tasks { totalCount } }"}'`,
          ]),
      '',
      ...notes,
    );
  }
  process.stdout.write(`${lines.join('\n')}\n`);
}

/** How a line on this machine reaches the server, or where that takes a proxy. */
function wayIn({ tls, requireHttps, trustProxy }: Config, here: string) {
  if (tls) {
    return { options: '--insecure ', address: here, notes: ['(--insecure: the certificate is for another name.)', ''] };
  }
  if (!requireHttps) return { options: '', address: here, notes: [] };
  const local = new URL(here).hostname.replace(/^\[|\]$/g, '');
  // As the proxy on this machine would.
  if (inBlocks(local, trustProxy)) return { options: "-H 'X-Forwarded-Proto: https' ", address: here, notes: [] };
  return {
    options: '',
    address: 'https://YOUR-HOST',
    notes: [
      'HTTPS is required and this server speaks plain HTTP: YOUR-HOST is a proxy before it, which TRUST_PROXY names.',
      'Or set TLS_CERT_FILE and TLS_KEY_FILE, or REQUIRE_HTTPS=false to try it out.',
      '',
    ],
  };
}

/** How long a proxy may take to learn that its connections are closed, in milliseconds. */
const LAST_REQUESTS = 1000;

function stopOnSignal(server: RunningServer): void {
  let stopping = false;
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => {
      if (stopping) return;
      stopping = true;
      server.stop(LAST_REQUESTS).then(
        () => process.exit(0),
        (error: unknown) => {
          process.stderr.write(`Stopping failed: ${String(error)}\n`);
          process.exit(1);
        },
      );
    });
  }
}
