// npm run bench:dashboard: what the dashboard weighs and how soon it is there, with 10,000 tasks: bytes and requests of a first visit,
// the largest paint and the time of the main thread, medians of ROUNDS (default 7) visits with an empty cache. Needs a Chromium.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { chromium } from 'playwright-core';
import { seed, start } from './fixture.mjs';

const ROUNDS = Number(process.env.ROUNDS ?? 7);
const TASKS = 10_000;
/** Bytes compressed with headers and answers, of the first page alone; requests, milliseconds, milliseconds. */
const BUDGET = { bytes: 250_000, requests: 40, largestPaint: 1200, mainThread: 1500 };

const folder = mkdtempSync(path.join(tmpdir(), 'taskgate-dashboard-'));
const executablePath = process.env.CHROMIUM ?? execFileSync('which', ['chromium']).toString().trim();
const file = path.join(folder, 'a.db');
await seed(`file:${file}`, TASKS);
const server = await start('taskgate.mjs', file);
const origin = `http://127.0.0.1:${server.port}`;
let isOver = false;
try {
  const browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu'] });
  const context = await browser.newContext();
  const first = await context.newPage();
  await first.goto(`${origin}/sign-up`);
  await first.getByLabel('Name').fill('Ada');
  await first.getByLabel('Email').fill('ada@example.com');
  await first.getByLabel('Password', { exact: true }).fill('a hedgehog in the rain');
  await first.getByRole('button', { name: 'Sign up' }).click();
  await first.getByRole('heading', { name: /^Welcome/ }).waitFor();
  for (const [where, shown] of /** @type {const} */ ([
    ['/', 'Welcome, Ada'],
    ['/tasks', `Task ${TASKS}`],
    ['/settings/api-keys', 'First admin key'],
  ])) {
    const visits = [];
    for (let round = 0; round < ROUNDS; round += 1) visits.push(await visit(context, where, shown));
    const of = (name) => visits.map((one) => one[name]).sort((a, b) => a - b);
    const line = Object.keys(BUDGET).map((name) => {
      const values = of(name);
      const median = values[Math.floor(values.length / 2)];
      const isBudgeted = name !== 'bytes' || where === '/';
      if (isBudgeted && median > BUDGET[name]) isOver = true;
      return `${name} ${Math.round(median)} (${Math.round(values[0])} to ${Math.round(values.at(-1))}${isBudgeted ? `; budget ${BUDGET[name]}` : ''})`;
    });
    console.log(`${where.padEnd(20)} ${line.join(', ')}`);
  }
  await browser.close();
} finally {
  server.process.kill();
  rmSync(folder, { recursive: true, force: true });
}
process.exitCode = isOver ? 1 : 0;

/** One visit with nothing in the cache. */
async function visit(context, where, shown) {
  const page = await context.newPage();
  const session = await context.newCDPSession(page);
  await session.send('Network.enable');
  await session.send('Network.setCacheDisabled', { cacheDisabled: true });
  await session.send('Performance.enable');
  let bytes = 0;
  let requests = 0;
  session.on('Network.loadingFinished', ({ encodedDataLength }) => {
    bytes += encodedDataLength;
    requests += 1;
  });
  await page.addInitScript(() => {
    new PerformanceObserver((list) => {
      globalThis.largest = list.getEntries().at(-1)?.startTime;
    }).observe({ type: 'largest-contentful-paint', buffered: true });
  });
  await page.goto(origin + where);
  await page.getByText(shown, { exact: true }).first().waitFor();
  await page.waitForTimeout(600);
  const largestPaint = await page.evaluate(() => globalThis.largest);
  const { metrics } = await session.send('Performance.getMetrics');
  const mainThread = (metrics.find(({ name }) => name === 'TaskDuration')?.value ?? 0) * 1000;
  await page.close();
  return { bytes, requests, largestPaint, mainThread };
}
