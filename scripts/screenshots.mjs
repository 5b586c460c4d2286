// node scripts/screenshots.mjs [FOLDER]: every page of the dashboard, in light and dark, wide and narrow, with rows, empty and
// with an error, as images, and what axe finds on them. Starts a server of its own on a database that it throws away.
// Needs a build (`npm run build`) and a Chromium (CHROMIUM, default: chromium on the PATH).
import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { chromium } from 'playwright-core';

const root = path.dirname(import.meta.dirname);
const folder = path.resolve(process.argv[2] ?? path.join(root, 'docs/dashboard'));
const executablePath = process.env.CHROMIUM ?? execFileSync('which', ['chromium']).toString().trim();
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const PORT = 4700 + (process.pid % 200);
// By this name, for which browsers have passkeys.
const origin = `http://localhost:${PORT}`;
const data = mkdtempSync(path.join(tmpdir(), 'taskgate-screenshots-'));
mkdirSync(folder, { recursive: true });

const server = spawn(process.execPath, [path.join(root, 'dist/main.js'), 'serve'], {
  env: {
    ...process.env,
    PORT: String(PORT),
    DATABASE_URL: `file:${data}/a.db`,
    LOG_LEVEL: 'warn',
    DEFAULT_PLAN: 'enterprise',
  },
  stdio: ['ignore', 'ignore', 'inherit'],
});
let found = 0;
try {
  await until(async () => (await fetch(`${origin}/health/ready`)).ok);
  const browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu'] });
  const context = await browser.newContext();
  const page = await context.newPage();
  await shoot(page, '/sign-up', 'sign-up');
  await page.goto(`${origin}/sign-up`);
  await page.getByLabel('Name').fill('Ada Lovelace');
  await page.getByLabel('Email').fill('ada@example.com');
  await page.getByLabel('Password', { exact: true }).fill('a hedgehog in the rain');
  await page.getByRole('button', { name: 'Sign up' }).click();
  await page.getByRole('heading', { name: 'Welcome, Ada Lovelace' }).waitFor();
  const nothing = '01a00000-0000-7000-8000-000000000000';
  for (const [where, name] of pages({
    taskId: nothing,
    projectId: '',
    keyId: `key_${nothing}`,
    request: 'client_id=x',
  })) {
    await shoot(page, where, `${name}-empty`);
  }
  const made = await fill(page);
  for (const [where, name] of pages(made)) await shoot(page, where, name);
  // What the page says while the server does not answer.
  await page.route(/\/graphql$|\/api\/account\/./, (route) => route.abort());
  for (const [where, name] of pages(made)) await shoot(page, where, `${name}-error`);
  await page.unroute(/\/graphql$|\/api\/account\/./);
  await context.clearCookies();
  await shoot(page, '/sign-in', 'sign-in');
  await browser.close();
} finally {
  server.kill('SIGTERM');
  rmSync(data, { recursive: true, force: true });
}
console.log(`${found} violations of WCAG 2.2 AA; images in ${folder}`);
process.exitCode = found > 0 ? 1 : 0;

/** @returns address and name of every page for who is signed in */
function pages({ taskId, projectId, keyId, request }) {
  return [
    ['/', 'start'],
    ['/tasks', 'tasks'],
    [`/tasks/${taskId}`, 'task'],
    [projectId ? `/board?project=${projectId}` : '/board', 'board'],
    ['/projects', 'projects'],
    ['/trash', 'trash'],
    ['/settings/api-keys', 'api-keys'],
    ['/settings/api-keys/new', 'new-key'],
    [`/settings/api-keys/${keyId}`, 'key'],
    ['/settings/review', 'review'],
    ['/settings/applications', 'applications'],
    [`/oauth/authorize?${request}`, 'authorize'],
    ['/settings/alerts', 'alerts'],
    ['/settings/audit', 'audit'],
    ['/settings/team', 'team'],
    ['/settings/usage', 'usage'],
    ['/settings/account', 'account'],
  ];
}

async function shoot(page, where, name) {
  for (const colorScheme of /** @type {const} */ (['light', 'dark'])) {
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
    for (const [size, width, height] of /** @type {const} */ ([
      ['wide', 1280, 860],
      ['narrow', 390, 844],
    ])) {
      await page.setViewportSize({ width, height });
      await page.goto(origin + where);
      await page.waitForLoadState('load');
      await page.waitForFunction(() => !document.querySelector('[role=status][aria-label^=Loading]'));
      await page.waitForTimeout(150);
      await page.screenshot({
        path: path.join(folder, `${name}-${size}-${colorScheme}.jpg`),
        type: 'jpeg',
        quality: 72,
      });
      await page.evaluate(axe);
      const { violations } = await page.evaluate(() =>
        globalThis.axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'] }),
      );
      for (const { id, help, nodes } of violations) {
        found += nodes.length;
        console.log(`${where} (${size}, ${colorScheme}): ${id}: ${help}`);
        for (const { html, failureSummary } of nodes.slice(0, 3))
          console.log(`    ${html.slice(0, 200)}\n    ${failureSummary?.replaceAll('\n', ' ')}`);
      }
    }
  }
}

/** Rows as a team would have them, made by the API with the session of the page. */
async function fill(page) {
  return page.evaluate(async () => {
    const workspace = localStorage.getItem('taskgate:workspace') ?? '';
    const run = async (query, variables, key) => {
      const headers = key
        ? { authorization: `Bearer ${key}` }
        : { 'x-taskgate-workspace': workspace, 'x-taskgate-environment': 'live' };
      const answer = await fetch('/graphql', {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...headers },
        body: JSON.stringify({ query, variables }),
      });
      return (await answer.json()).data;
    };
    const projects = [];
    for (const [name, description] of [
      ['Website', 'What visitors see first'],
      ['Mobile app', 'For the field team'],
      ['Data warehouse', 'Numbers that everybody agrees on'],
    ]) {
      const made = await run(
        'mutation($input: CreateProjectInput!) { createProject(input: $input) { project { id states(first: 9) { nodes { id category } } } } }',
        { input: { name, description } },
      );
      projects.push(made.createProject.project);
    }
    const titles = [
      'Write the release notes',
      'Fix the sign-in on old phones',
      'Move invoices to the new bank',
      'Answer the accessibility report',
      'Measure the start page',
      'Draw the new icon set',
      'Delete the old exports',
      'Plan the spring campaign',
    ];
    const statuses = ['BACKLOG', 'TODO', 'IN_PROGRESS', 'IN_REVIEW', 'DONE', 'CANCELED'];
    const priorities = ['NONE', 'LOW', 'MEDIUM', 'HIGH', 'URGENT'];
    const viewer = (await run('{ viewer { userId } }')).viewer;
    let taskId = '';
    for (let at = 0; at < 60; at += 1) {
      const input = {
        title: `${titles[at % titles.length]}${at >= titles.length ? ` (${Math.floor(at / titles.length) + 1})` : ''}`,
        status: statuses[(at * 7) % statuses.length],
        priority: priorities[(at * 3) % priorities.length],
        projectId: projects[at % 2].id,
        ...(at % 3 === 0 && { assigneeId: viewer.userId }),
        ...(at % 4 === 0 && { dueDate: new Date(Date.now() + (at - 20) * 86_400_000).toISOString() }),
        tags: at % 2 ? ['design'] : ['billing', 'urgent fix'],
        description: 'As agreed with the team: first for a few customers, then for all.',
      };
      const made = await run('mutation($input: CreateTaskInput!) { createTask(input: $input) { task { id } } }', {
        input,
      });
      taskId = made.createTask.task.id;
    }
    await run('mutation($input: CreateCommentInput!) { createComment(input: $input) { comment { id } } }', {
      input: { taskId, body: 'The first customers have it. No complaints so far.' },
    });
    await run('mutation($input: CreateTaskInput!) { createTask(input: $input) { task { id } } }', {
      input: { title: 'Tell the support team', parentId: taskId },
    });
    const make = async (input) =>
      (
        await run('mutation($input: CreateApiKeyInput!) { createApiKey(input: $input) { key apiKey { id } } }', {
          input,
        })
      ).createApiKey;
    const ci = await make({
      name: 'CI',
      scopes: ['tasks:*', 'projects:read'],
      description: 'Opens a task for each failure',
    });
    await make({ name: 'Billing export', scopes: ['admin:*'] });
    await make({
      name: 'Phone app',
      operations: { documents: ['query Open { tasks(first: 20) { nodes { id title } } }'], lock: true },
      expiresAt: new Date(Date.now() + 9 * 86_400_000).toISOString(),
    });
    for (let at = 0; at < 12; at += 1) await run('query Open { tasks(first: 3) { nodes { id title } } }', {}, ci.key);
    await run('query Projects { projects { nodes { id } } }', {}, ci.key);
    await run('query Audit { auditLog { nodes { id } } }', {}, ci.key);
    await run('mutation($input: InviteUserInput!) { inviteUser(input: $input) { token } }', {
      input: { email: 'grace@example.com', role: 'MEMBER' },
    });
    for (const [name, email, role] of [
      ['Grace Hopper', 'grace.h@example.com', 'MANAGER'],
      ['Alan Turing', 'alan@example.com', 'MEMBER'],
      ['Edsger Dijkstra', 'edsger@example.com', 'VIEWER'],
    ]) {
      await run('mutation($input: CreateUserInput!) { createUser(input: $input) { user { id } } }', {
        input: { name, email, role },
      });
    }
    await new Promise((resolve) => setTimeout(resolve, 3000));
    for (const title of ['Rename the old logo', 'Order chairs']) {
      const gone = await run('mutation($input: CreateTaskInput!) { createTask(input: $input) { task { id } } }', {
        input: { title },
      });
      await run('mutation($input: DeleteTaskInput!) { deleteTask(input: $input) { deletedTaskId } }', {
        input: { id: gone.createTask.task.id },
      });
    }
    const app = await run(
      'mutation($input: CreateOauthAppInput!) { createOauthApp(input: $input) { oauthApp { id redirectUris } } }',
      {
        input: {
          name: 'Planner',
          description: 'Draws a timeline of your tasks',
          redirectUris: ['https://planner.example/callback'],
          scopes: ['tasks:*', 'projects:read', 'users:read'],
        },
      },
    );
    const request = new URLSearchParams({
      client_id: app.createOauthApp.oauthApp.id,
      redirect_uri: app.createOauthApp.oauthApp.redirectUris[0],
      response_type: 'code',
      scope: 'tasks:read tasks:write projects:read',
      state: 'x',
      code_challenge: 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM',
      code_challenge_method: 'S256',
    }).toString();
    return { taskId, projectId: projects[0].id, keyId: ci.apiKey.id, request };
  });
}

async function until(test) {
  for (let tries = 0; tries < 100; tries += 1) {
    if (await test().catch(() => false)) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error('the server did not start');
}
