/** The dashboard in a real browser: what people do with it, who may, with the keyboard alone, and what it weighs. */
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { promisify } from 'node:util';
import * as client from 'openid-client';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { browserPath, launch } from './support/browser.js';
import { startTestServer, type TestServer } from './support/server.js';
import { until } from './support/stream.js';
import { PASSWORD, visitor } from './support/visitor.js';

const executablePath = browserPath('the dashboard');
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
/** The server runs in this process, which must not wait for the line. */
const inShell = async (line: string) =>
  (await promisify(execFile)('sh', ['-c', `${line} --silent`], { timeout: 10_000 })).stdout;
const AA = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'];
/** Bytes, compressed, of the first page with all that it loads. */
const FIRST_PAGE = 250_000;

/** Marks what is used by hand and is seen; of radio buttons one of a group, which arrows leave. Answers how many. */
const MARK_CONTROLS = () => {
  const groups = new Set<string>();
  let count = 0;
  for (const element of document.querySelectorAll<HTMLElement>('a[href], button, input, textarea, select')) {
    const control = element as HTMLInputElement;
    const { width, height } = element.getBoundingClientRect();
    const isSeen = width > 0 && height > 0 && getComputedStyle(element).visibility !== 'hidden';
    if (!isSeen || control.disabled || element.closest('[aria-hidden=true], [inert]')) continue;
    if (control.type === 'radio') {
      if (groups.has(control.name)) continue;
      groups.add(control.name);
      element.dataset['group'] = control.name;
    }
    element.dataset['unreached'] = 'true';
    count += 1;
  }
  return count;
};
/** Notes what has the focus. Answers what does not show it. */
const MARK_FOCUS = () => {
  const focused = document.activeElement as HTMLInputElement | null;
  if (!focused || focused === document.body) return '';
  delete focused.dataset['unreached'];
  if (focused.type === 'radio') {
    const inGroup = document.querySelector<HTMLElement>(`[data-group="${CSS.escape(focused.name)}"]`);
    if (inGroup) delete inGroup.dataset['unreached'];
  }
  // Fields show it by the color of their border, and those whose box is drawn by a neighbour there.
  if (['INPUT', 'TEXTAREA', 'SELECT'].includes(focused.tagName)) return '';
  const { outlineStyle, outlineWidth, boxShadow } = getComputedStyle(focused);
  const isShown = (outlineStyle !== 'none' && outlineWidth !== '0px') || boxShadow !== 'none';
  return isShown ? '' : focused.outerHTML.slice(0, 160);
};
const LEFT_OVER = () =>
  [...document.querySelectorAll('[data-unreached]')].map(({ outerHTML }) => outerHTML.slice(0, 160));

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer();
  await visitor(server).signUp('ada@example.com');
});
afterAll(() => server.stop());

describe('its files', () => {
  it('are pages with a policy that lets no script in but the build’s, and stand in no frame', async () => {
    for (const path of ['/', '/sign-in', '/settings/api-keys', '/settings/developer', '/tasks/1']) {
      const page = await fetch(server.origin + path);
      expect([path, page.status]).toEqual([path, 200]);
      const policy = page.headers.get('content-security-policy') ?? '';
      expect(policy).toMatch(/default-src 'none'; frame-ancestors 'none'; script-src 'self'; /);
      expect(policy).not.toMatch(/script-src[^;]*(unsafe|http)/);
      expect(await page.text()).not.toMatch(/<script(?![^>]*\bsrc="\/assets\/)/);
    }
  });

  it('are shown to people who look for a page that is none, and to no program', async () => {
    const ask = (path: string, accept: string, method = 'GET') =>
      fetch(server.origin + path, { method, headers: { accept, 'if-none-match': 'W/"x"' } });
    const page = await ask('/nonsense', 'text/html,application/xhtml+xml,*/*;q=0.8');
    expect([page.status, page.headers.get('content-type'), page.headers.get('etag')]).toEqual([
      404,
      'text/html; charset=utf-8',
      null,
    ]);
    expect(await page.text()).toContain('<div id="root">');
    for (const [path, accept] of [
      ['/v1/nothing', 'text/html'],
      ['/api/nothing', 'text/html'],
      ['/nonsense', 'text/html;q=0, application/json'],
      ['/nonsense', 'application/json, text/html;q=0.1'],
      ['/nonsense', '*/*'],
    ]) {
      const answer = await ask(path ?? '', accept ?? '');
      expect([answer.status, answer.headers.get('content-type')], `${path} ${accept}`).toEqual([
        404,
        'application/json',
      ]);
    }
  });

  it('are kept by browsers for ever under names that say what they hold, and there are no others', async () => {
    const page = await (await fetch(server.origin)).text();
    const [script = ''] = /\/assets\/[^"]+\.js/.exec(page) ?? [];
    const asset = await fetch(server.origin + script);
    expect(asset.headers.get('cache-control')).toContain('immutable');
    for (const path of [
      '/assets/nothing.js',
      '/assets/../files.json',
      '/assets/%2e%2e/files.json',
      '/assets/..%2ffiles.json',
    ]) {
      expect((await fetch(server.origin + path)).status, path).toBe(404);
    }
  });
});

describe.skipIf(!executablePath)('in a browser', () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await launch(executablePath);
  });
  afterAll(() => browser.close());

  /** A browser of its own, and what happened in it that should not. */
  async function open(at: string, of: TestServer = server, options: Parameters<Browser['newContext']>[0] = {}) {
    const context = await browser.newContext({ reducedMotion: 'reduce', ...options });
    await context.grantPermissions(['clipboard-read', 'clipboard-write']);
    const page = await context.newPage();
    page.setDefaultTimeout(15_000);
    const problems: string[] = [];
    page.on('request', (request) => {
      if (!request.url().startsWith(of.origin)) problems.push(`asks ${request.url()}`);
    });
    page.on('pageerror', (error) => problems.push(String(error)));
    page.on('console', (message) => {
      if (message.type() === 'error') problems.push(message.text());
    });
    page.on('dialog', (dialog) => {
      problems.push(`dialog: ${dialog.message()}`);
      void dialog.dismiss();
    });
    await page.goto(of.origin + at);
    return { context, page, problems };
  }

  /** To wherever the address leads. */
  async function enter(page: Page, email: string): Promise<void> {
    await page.getByLabel('Email').fill(email);
    await page.getByLabel('Password', { exact: true }).fill(PASSWORD);
    await page.getByRole('button', { name: 'Sign in' }).click();
  }

  async function signIn(page: Page, email: string): Promise<void> {
    await enter(page, email);
    await page.getByRole('heading', { name: /^Welcome/ }).waitFor();
  }

  const violations = async (page: Page): Promise<string[]> => {
    await page.evaluate(axe);
    return page.evaluate(async (rules) => {
      const { axe: engine } = globalThis as unknown as {
        axe: {
          run(root: unknown, options: object): Promise<{ violations: { id: string; nodes: { html: string }[] }[] }>;
        };
      };
      const result = await engine.run(document, { runOnly: rules });
      return result.violations.map(
        ({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 120)).join(' | ')}`,
      );
    }, AA);
  };

  it('from signing up to a key that was made, used, tightened, replaced and revoked', async () => {
    const fresh = await startTestServer();
    const { page, problems, context } = await open('/', fresh);
    await page.getByRole('heading', { name: 'Sign up', exact: true }).waitFor();
    await page.getByLabel('Name').fill('Ada');
    await page.getByLabel('Email').fill('ada@example.com');
    await page.getByLabel('Password', { exact: true }).fill('password123');
    await page.getByRole('button', { name: 'Sign up' }).click();
    await page.getByText('Is one that many people use').waitFor();
    await page.getByLabel('Password', { exact: true }).fill(PASSWORD);
    await page.getByRole('button', { name: 'Sign up' }).click();
    await page.getByRole('heading', { name: 'Welcome, Ada' }).waitFor();
    await page.getByRole('link', { name: 'Generate a key' }).click();

    await page.getByLabel('Name').fill('Reports');
    await page
      .getByLabel('Operations', { exact: true })
      .fill('query Open($n: Int!) { tasks(first: $n) { totalCount } }\nquery All { projects { totalCount } }');
    await page.getByTestId('needs').getByText('projects:read').waitFor();
    await page.getByLabel('Lock the key to these operations').uncheck();
    await page.getByRole('button', { name: 'Generate', exact: true }).click();
    await page.getByRole('button', { name: 'Copy the key' }).click();
    const key = await page.evaluate(() => navigator.clipboard.readText());
    expect(key).toMatch(/^sk_live_/);
    await page.getByRole('button', { name: 'Copy the line' }).click();
    const line = await page.evaluate(() => navigator.clipboard.readText());
    const answer = JSON.parse(await inShell(line));
    expect(answer.data.viewer.scopes).toEqual(['tasks:read', 'projects:read'].sort());
    expect(
      (await fresh.gql('query Open($n: Int!) { tasks(first: $n) { totalCount } }', { n: 1 }, key)).errors,
    ).toBeUndefined();
    // As many as say something of what the key uses.
    for (let at = 0; at < 100; at += 1) await fresh.gql('query Open { tasks(first: 1) { totalCount } }', {}, key);
    await fresh.flushUsage();

    await page.getByRole('link', { name: 'Go to the key' }).click();
    await page.getByRole('heading', { name: 'Reports', exact: true }).waitFor();
    expect(await page.content()).not.toContain(key);
    await page.getByRole('heading', { name: 'Usage: 102 requests in 30 days' }).waitFor();
    await page.getByRole('button', { name: 'Tighten' }).click();
    await page.getByRole('dialog').getByText('tasks:read').waitFor();
    await page.getByRole('dialog').getByRole('button', { name: 'Tighten' }).click();
    await page.getByText(/Tightened just now: projects:read taken/).waitFor();
    await page.getByRole('button', { name: 'Tighten' }).click();
    await page.getByText('There is nothing to take').waitFor();
    expect(await page.getByRole('dialog').getByRole('button', { name: 'Tighten' }).isDisabled()).toBe(true);
    await page.getByRole('dialog').getByRole('button', { name: 'Cancel' }).click();
    await page.getByRole('dialog').waitFor({ state: 'hidden' });
    const missed = await fresh.gql('{ projects { totalCount } }', {}, key);
    expect(missed.errors?.[0]?.extensions['code']).toBe('FORBIDDEN');
    await page.getByRole('button', { name: 'Undo' }).click();
    await page.getByText(/given again/).waitFor();
    expect((await fresh.gql('{ projects { totalCount } }', {}, key)).errors).toBeUndefined();

    await page.getByRole('button', { name: 'Rotate' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Rotate' }).click();
    const successor = (await page.getByTestId('rotated-key').textContent()) ?? '';
    await page.getByRole('button', { name: 'Close' }).click();
    await page.getByText(/Rotated; it stops working/).waitFor();
    const old = await fresh.post('{"query":"{ viewer { scopes } }"}', key);
    expect([old.status, old.headers.get('deprecation')]).toEqual([200, expect.stringMatching(/^@\d+/)]);
    await fresh.flushUsage();
    await page.reload();
    await page.getByText(/Somebody still uses this one: just now, from 127.0.0.1/).waitFor();
    await page.getByRole('link', { name: 'Go to the key that replaced it' }).click();
    await page.getByText('Active').first().waitFor();
    expect((await fresh.post('{"query":"{ viewer { scopes } }"}', successor)).status).toBe(200);

    await page.getByRole('button', { name: 'Revoke' }).click();
    await page.getByRole('dialog').getByLabel('Reason').fill('The report is not needed any more');
    await page.getByRole('dialog').getByRole('button', { name: 'Revoke' }).click();
    await page.getByText('It opens nothing any more, for good.').waitFor();
    expect((await fresh.post('{"query":"{ viewer { scopes } }"}', successor)).status).toBe(401);
    expect(problems.filter((one) => !/400|Failed to load resource/.test(one))).toEqual([]);
    await context.close();
    await fresh.stop();
  });

  it('a key that is locked to operations with variables gets a line that works', async () => {
    const { page, context } = await open('/sign-in?next=/settings/api-keys/new');
    await enter(page, 'ada@example.com');
    await page.getByLabel('Name').fill('Locked');
    await page.getByLabel('Operations', { exact: true }).fill(`query It's { tasks { totalCount } }`);
    await page.getByText('These operations are not valid here').waitFor();
    await page
      .getByLabel('Operations', { exact: true })
      .fill(`query Open($n: Int!, $s: String!) { tasks(first: $n, search: $s) { totalCount } }`);
    await page.getByTestId('needs').getByText('tasks:read').waitFor();
    await page.getByRole('button', { name: 'Generate', exact: true }).click();
    const line = (await page.getByTestId('curl').textContent()) ?? '';
    expect(JSON.parse(await inShell(line)).data).toEqual({
      tasks: { totalCount: 0 },
    });
    await context.close();
  });

  it('an invitation leads somebody in, whose role sees no more than it may', async () => {
    const owner = await open('/sign-in');
    await signIn(owner.page, 'ada@example.com');
    await owner.page.getByRole('link', { name: 'Team' }).click();
    await owner.page.getByRole('button', { name: 'Invite' }).click();
    await owner.page.getByRole('dialog').getByLabel('Email').fill('vera@example.com');
    await owner.page.getByRole('dialog').getByRole('combobox', { name: 'Role' }).click();
    await owner.page.getByRole('option', { name: /^Viewer/ }).click();
    await owner.page.getByRole('button', { name: 'Create link' }).click();
    const link = (await owner.page.getByTestId('invitation-link').textContent()) ?? '';
    await owner.page.getByRole('button', { name: 'Done' }).click();
    await owner.page.getByText('vera@example.com as viewer').waitFor();

    const guest = await open(link.replace(server.origin, ''));
    await guest.page.getByRole('heading', { name: `Join ${server.workspace.name}` }).waitFor();
    expect(await guest.page.getByLabel('Email').inputValue()).toBe('vera@example.com');
    await guest.page.getByLabel('Name').fill('Vera');
    await guest.page.getByLabel('Password', { exact: true }).fill(PASSWORD);
    await guest.page.getByRole('button', { name: 'Sign up' }).click();
    await guest.page.getByRole('heading', { name: 'Welcome, Vera' }).waitFor();
    for (const name of ['API Keys', 'Audit log', 'Least privilege']) {
      expect(await guest.page.getByRole('link', { name }).count(), name).toBe(0);
    }
    await guest.page.getByRole('link', { name: 'Tasks', exact: true }).first().click();
    await guest.page.getByRole('heading', { name: 'Tasks', exact: true }).waitFor();
    expect(await guest.page.getByRole('button', { name: 'New task' }).count()).toBe(0);
    await guest.page.goto(`${server.origin}/settings/api-keys/new`);
    await guest.page.getByText('Your role cannot create keys').waitFor();
    await guest.page.goto(`${server.origin}/settings/audit`);
    await guest.page.getByText(/It takes audit:read/).waitFor();
    const log = server.logLines.join('\n');
    expect(log).not.toContain(link.split('#')[1]);
    await owner.context.close();
    await guest.context.close();
  });

  it('what one does, another sees as it happens: in the list, on the board, and on the task', async () => {
    // All columns are seen: what is dragged is not scrolled away.
    const wide = { viewport: { width: 2200, height: 900 } };
    const [one, other] = [await open('/sign-in', server, wide), await open('/sign-in')];
    for (const { page } of [one, other]) await signIn(page, 'ada@example.com');
    await one.page.goto(`${server.origin}/projects`);
    await one.page.getByRole('button', { name: 'New project' }).click();
    await one.page.getByRole('dialog').getByLabel('Name').fill('Shared');
    await one.page.getByRole('button', { name: 'Create project' }).click();
    await one.page.getByRole('link', { name: 'Shared', exact: true }).click();
    await one.page.getByRole('heading', { name: 'Backlog' }).waitFor();
    await other.page.goto(`${server.origin}/tasks`);
    await other.page.getByRole('heading', { name: 'No tasks yet' }).waitFor();
    await one.page.getByRole('button', { name: 'New task' }).click();
    await one.page.getByRole('dialog').getByLabel('Title').fill('Seen by both');
    await one.page.getByRole('button', { name: 'Create task' }).click();
    await other.page.getByRole('link', { name: 'Seen by both' }).waitFor();

    await other.page.goto(one.page.url());
    const card = other.page.getByRole('list', { name: 'In Progress' }).getByText('Seen by both');
    // By the keyboard alone: Alt and an arrow, and by the menu.
    await one.page.getByRole('link', { name: 'Seen by both' }).focus();
    await one.page.keyboard.press('Alt+ArrowRight');
    await card.waitFor();
    await one.page.getByRole('button', { name: /^Move / }).click();
    await one.page.getByRole('menuitem', { name: 'Done' }).click();
    await other.page.getByRole('list', { name: 'Done' }).getByText('Seen by both').waitFor();
    const [from, to] = [
      one.page.getByRole('link', { name: 'Seen by both' }),
      one.page.getByRole('list', { name: 'Backlog' }),
    ];
    await one.page.getByRole('list', { name: 'Done' }).getByText('Seen by both').waitFor();
    await from.locator('xpath=ancestor::li').dragTo(to.locator('xpath=..'));
    await other.page.getByRole('list', { name: 'Backlog' }).getByText('Seen by both').waitFor();

    await other.page.getByRole('link', { name: 'Seen by both' }).click();
    await other.page.getByLabel('Title').waitFor();
    await one.page.getByRole('link', { name: 'Seen by both' }).click();
    await one.page.getByLabel('Title').fill('Seen by both, and renamed');
    await one.page.getByRole('button', { name: 'Save' }).click();
    await other.page.getByRole('heading', { name: 'Seen by both, and renamed' }).waitFor();
    await one.page.getByRole('button', { name: 'Delete' }).click();
    await one.page.getByRole('heading', { name: 'The task is in the trash' }).waitFor();
    await one.page.getByRole('button', { name: 'Undo' }).click();
    await one.page.getByRole('heading', { name: 'Seen by both, and renamed' }).waitFor();
    for (const { context } of [one, other]) await context.close();
  });

  it('an application that was registered is let in, acts as the user, and is ended: by an independent client', async () => {
    const { page, problems, context } = await open('/sign-in?next=/settings/applications');
    await enter(page, 'ada@example.com');
    await page.getByRole('button', { name: 'Register an application' }).click();
    await page.getByLabel('Name').fill('Planner');
    await page.getByLabel('Redirect URIs').fill('https://planner.example');
    await page.getByLabel('tasks:write').check();
    await page.getByRole('button', { name: 'Register', exact: true }).click();
    const id = (await page.getByTestId('client-id').textContent()) ?? '';
    const secret = (await page.getByTestId('client-secret').textContent()) ?? '';
    await page.getByRole('button', { name: 'Done' }).click();
    await page.getByRole('button', { name: 'Change Planner' }).click();
    const back = createServer((_request, response) => response.end('<title>Planner</title><h1>Back at Planner</h1>'));
    await new Promise<void>((resolve) => back.listen(0, '127.0.0.1', resolve));
    const redirect = `http://127.0.0.1:${(back.address() as AddressInfo).port}/back`;
    await page.getByLabel('Redirect URIs').fill('http://127.0.0.1/back');
    await page.getByRole('button', { name: 'Save' }).click();
    await page.getByText('Sends back to http://127.0.0.1/back').waitFor();
    await context.close();

    const config = await client.discovery(new URL(server.origin), id, secret, undefined, {
      execute: [client.allowInsecureRequests],
      algorithm: 'oauth2',
    });
    const verifier = client.randomPKCECodeVerifier();
    const state = client.randomState();
    const address = client.buildAuthorizationUrl(config, {
      ...{ redirect_uri: redirect, scope: 'tasks:read tasks:write', state, code_challenge_method: 'S256' },
      code_challenge: await client.calculatePKCECodeChallenge(verifier),
    });
    // Somebody who is not signed in yet: to the door first, and back.
    const user = await open(address.pathname + address.search);
    await user.page.getByRole('heading', { name: 'Sign in' }).waitFor();
    await enter(user.page, 'ada@example.com');
    await user.page.getByRole('heading', { name: 'Planner wants to act as you' }).waitFor();
    await user.page.getByText('Either way you go on to 127.0.0.1').waitFor();
    for (const colorScheme of ['light', 'dark'] as const) {
      await user.page.emulateMedia({ colorScheme });
      expect(await violations(user.page)).toEqual([]);
    }
    await user.page.getByRole('checkbox', { name: /^Create and update tasks/ }).uncheck();
    await user.page.getByRole('button', { name: 'Allow', exact: true }).focus();
    await user.page.keyboard.press('Enter');
    await user.page.getByRole('heading', { name: 'Back at Planner' }).waitFor();
    const tokens = await client.authorizationCodeGrant(config, new URL(user.page.url()), {
      ...{ pkceCodeVerifier: verifier, expectedState: state },
    });
    expect(tokens.scope).toBe('tasks:read');
    const read = await server.gql('{ viewer { user { email } } tasks { totalCount } }', {}, tokens.access_token);
    expect(read.data.viewer.user.email).toBe('ada@example.com');

    await user.page.goto(`${server.origin}/settings/account`);
    await user.page.getByRole('button', { name: 'End the access of Planner' }).click();
    await user.page.getByRole('dialog').getByRole('button', { name: 'End access' }).click();
    await user.page.getByText('None. An application asks you before it can do anything.').waitFor();
    expect((await server.post('{"query":"{ viewer { scopes } }"}', tokens.access_token)).status).toBe(401);

    // What is not registered leads nowhere, and is told in words.
    address.searchParams.set('redirect_uri', 'https://evil.example/');
    await user.page.goto(address.href);
    await user.page.getByText('is not an address of this application').waitFor();
    expect(new URL(user.page.url()).origin).toBe(server.origin);
    expect([...problems, ...user.problems].filter((problem) => !problem.includes(redirect))).toEqual([
      expect.stringContaining('status of 400'),
    ]);
    await user.context.close();
    back.close();
  }, 60_000);

  it('signs somebody in by a passkey of their device, until it is removed', async () => {
    const { port } = new URL(server.origin);
    // Browsers bind passkeys to names of hosts, and to no address.
    const local = { ...server, origin: `http://localhost:${port}` };
    const { page, context } = await open('/sign-in?next=/settings/account', local);
    const devtools = await context.newCDPSession(page);
    await devtools.send('WebAuthn.enable');
    const authenticator = async (isUserVerified: boolean) =>
      devtools.send('WebAuthn.addVirtualAuthenticator', {
        options: {
          ...{ protocol: 'ctap2', transport: 'internal', hasResidentKey: true, hasUserVerification: true },
          ...{ isUserVerified, automaticPresenceSimulation: true },
        },
      });
    const { authenticatorId } = await authenticator(true);
    await enter(page, 'ada@example.com');
    await page.getByLabel('Name of the device').fill('Laptop');
    await page.getByRole('button', { name: 'Add a passkey' }).click();
    await page.getByText('Laptop, since just now').waitFor();
    expect(await violations(page)).toEqual([]);
    await page.getByRole('button', { name: 'Add a passkey' }).click();
    await page.getByText('This device has a passkey for your account already').waitFor();

    await page.getByRole('button', { name: /account of/ }).click();
    await page.getByRole('menuitem', { name: 'Sign out' }).click();
    await page.getByRole('button', { name: 'Use a passkey' }).click();
    await page.getByRole('heading', { name: 'Your account' }).waitFor();
    const { credentials } = await devtools.send('WebAuthn.getCredentials', { authenticatorId });
    expect(credentials).toHaveLength(1);

    await page.getByRole('button', { name: 'Remove the passkey Laptop' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Remove' }).click();
    await until(async () => (await server.system.passkey.count()) === 0);
    await page.getByRole('button', { name: /account of/ }).click();
    await page.getByRole('menuitem', { name: 'Sign out' }).click();
    await page.getByRole('button', { name: 'Use a passkey' }).click();
    await page.getByText('That passkey opens no account here').waitFor();
    const person = await server.system.person.findFirstOrThrow({ where: { email: 'ada@example.com' } });
    const [user] = await server.system.user.findMany({ where: { personId: person.id, environment: 'LIVE' } });
    const entries = await server.system.auditEvent.findMany({ where: { targetId: user?.id ?? '' } });
    const actions = entries.map(({ action }) => action);
    expect(actions).toEqual(expect.arrayContaining(['session.passkey_add', 'session.passkey_remove', 'session.begin']));
    await context.close();
  }, 60_000);

  it('makes a key for what was written in the playground', async () => {
    const { page, context } = await open('/sign-in');
    await signIn(page, 'ada@example.com');
    await page.goto(`${server.origin}/graphql`);
    await page.getByRole('link', { name: 'Make a key for this' }).click();
    await page.getByRole('heading', { name: 'Generate New Key' }).waitFor();
    expect(await page.getByLabel('Operations', { exact: true }).inputValue()).toContain('query Tasks {');
    await page.getByTestId('needs').getByText('projects:read').waitFor();
    // What was typed just before as well.
    await page.goto(`${server.origin}/graphql`);
    await page.getByRole('link', { name: 'Make a key for this' }).waitFor();
    await page.locator('.graphiql-query-editor .view-lines').click();
    await page.keyboard.press('Control+A');
    await page.keyboard.insertText('subscription');
    await page.getByRole('link', { name: 'Make a key for this' }).click();
    await page.getByRole('heading', { name: 'Generate New Key' }).waitFor();
    expect(await page.getByLabel('Operations', { exact: true }).inputValue()).toBe('subscription');
    // It is handed over once.
    await page.goto(`${server.origin}/settings/api-keys/new`);
    expect(await page.getByLabel('Operations', { exact: true }).inputValue()).toBe('');
    await context.close();
  });

  it('what is being written stays while others change the task, and is not left without a question', async () => {
    const made = await server.gql('mutation { createTask(input: { title: "Written by two" }) { task { id } } }');
    const { id } = made.data.createTask.task;
    const { page, context } = await open(`/sign-in?next=/tasks/${id}`);
    await enter(page, 'ada@example.com');
    await page.getByLabel('Description').fill('A long thought, not saved yet');
    const change = (fields: string) =>
      server.gql(`mutation ($id: ID!) { updateTask(input: { id: $id, ${fields} }) { task { id } } }`, { id });
    await change('priority: HIGH');
    await until(async () => (await page.getByRole('combobox', { name: 'Priority' }).inputValue()) === 'High');
    expect(await page.getByLabel('Description').inputValue()).toBe('A long thought, not saved yet');
    // What was not written here is theirs.
    await change('title: "Renamed meanwhile"');
    await until(async () => (await page.getByLabel('Title').inputValue()) === 'Renamed meanwhile');
    expect(await page.getByLabel('Description').inputValue()).toBe('A long thought, not saved yet');
    await change('description: "Theirs"');
    await page.getByText('Somebody else changed this meanwhile').waitFor();
    expect(await page.getByLabel('Description').inputValue()).toBe('A long thought, not saved yet');
    for (const leave of [
      () => page.getByRole('link', { name: 'Projects', exact: true }).click(),
      () => page.getByText('Test', { exact: true }).click(),
    ]) {
      await leave();
      await page.getByRole('dialog').getByRole('button', { name: 'Cancel' }).click();
      expect(await page.getByLabel('Description').inputValue()).toBe('A long thought, not saved yet');
    }
    await page.getByRole('button', { name: 'Discard mine and show theirs' }).click();
    expect(await page.getByLabel('Description').inputValue()).toBe('Theirs');
    await page.getByLabel('Title').fill('Saved now');
    await page.getByRole('button', { name: 'Save' }).click();
    await until(async () => {
      const read = await server.gql('query ($id: ID!) { task(id: $id) { title description } }', { id });
      return read.data.task.title === 'Saved now' && read.data.task.description === 'Theirs';
    });
    await server.gql(
      'mutation ($id: ID!) { createComment(input: { taskId: $id, body: "Seen at once" }) { comment { id } } }',
      { id },
    );
    await page.getByText('Seen at once').waitFor();
    await page.getByLabel('Add a comment').fill('Half a');
    await page.getByRole('link', { name: 'Projects', exact: true }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Leave' }).click();
    await page.getByRole('heading', { name: 'Projects' }).waitFor();
    // The switch that was called off stays called off.
    await page.getByRole('link', { name: 'Tasks', exact: true }).click();
    await page.getByRole('link', { name: 'Saved now' }).click();
    await page.getByLabel('Title').fill('Not saved');
    await page.getByText('Test', { exact: true }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Leave' }).click();
    await page.getByText('No tasks yet').waitFor();
    await context.close();
  });

  it.each(['Pacific/Auckland', 'America/New_York', 'Asia/Tokyo'])(
    'a day that is chosen is due on that day in %s',
    async (timezoneId) => {
      const { page, context } = await open('/sign-in?next=/tasks', server, { timezoneId });
      await enter(page, 'ada@example.com');
      const { today, later } = await page.evaluate(() => {
        const day = (at: Date) =>
          [at.getFullYear(), at.getMonth() + 1, at.getDate()].map((part) => String(part).padStart(2, '0')).join('-');
        return { today: day(new Date()), later: day(new Date(Date.now() + 30 * 86_400_000)) };
      });
      for (const [title, due] of [
        [`Later ${timezoneId}`, later],
        [`Today ${timezoneId}`, today],
      ] as const) {
        await page.getByRole('button', { name: 'New task' }).click();
        const dialog = page.getByRole('dialog');
        await dialog.getByLabel('Title').fill(title);
        await dialog.getByLabel('Due').fill(due);
        // What is written is not lost by a key.
        await page.keyboard.press('Escape');
        await dialog.getByRole('button', { name: 'Create task' }).click();
        await page.getByRole('link', { name: title }).click();
        await page.getByRole('heading', { name: title }).waitFor();
        expect(await page.getByLabel('Due').inputValue()).toBe(due);
        await page.goto(`${server.origin}/tasks`);
      }
      const row = page.getByRole('listitem').filter({ hasText: `Today ${timezoneId}` });
      await row.getByText('due today').waitFor();
      // A day alone, as other programs give it.
      const made = await server.gql(
        `mutation { createTask(input: { title: "Alone", dueDate: "${today}T00:00:00Z" }) { task { id } } }`,
      );
      await page.goto(`${server.origin}/tasks/${made.data.createTask.task.id}`);
      await until(async () => (await page.getByLabel('Due').inputValue()) === today);
      await context.close();
    },
  );

  it('a move on a board is one request, and not the board once more', async () => {
    const project = (await server.gql('mutation { createProject(input: { name: "Moved" }) { project { id } } }')).data
      .createProject.project;
    for (const title of ['One', 'Two', 'Three']) {
      await server.gql('mutation ($i: CreateTaskInput!) { createTask(input: $i) { task { id } } }', {
        i: { title, projectId: project.id },
      });
    }
    const { page, context } = await open(`/sign-in?next=${encodeURIComponent(`/board?project=${project.id}`)}`);
    await enter(page, 'ada@example.com');
    await page.getByRole('list', { name: 'To Do' }).getByText('Three').waitFor();
    const asked: string[] = [];
    page.on('request', (request) => {
      if (request.url().endsWith('/graphql'))
        asked.push(/(?:query|mutation|subscription) (\w+)/.exec(request.postData() ?? '')?.[1] ?? '');
    });
    await page.getByRole('link', { name: 'Two' }).focus();
    await page.keyboard.press('Alt+ArrowRight');
    await page.getByRole('list', { name: 'In Progress' }).getByText('Two').waitFor();
    await page.getByRole('link', { name: 'Two' }).and(page.locator(':focus')).waitFor();
    await page.keyboard.press('Alt+ArrowLeft');
    await page.getByRole('list', { name: 'To Do' }).getByText('Two').waitFor();
    await page.waitForTimeout(500);
    expect(asked).toEqual(['MoveCard', 'MoveCard']);
    await context.close();
  });

  it('a session that ended leads to the door, and back to where one was', async () => {
    const { page, context } = await open('/sign-in');
    await signIn(page, 'ada@example.com');
    await server.system.signInSession.deleteMany();
    await page.goto(`${server.origin}/settings/team?x=1`);
    await page.getByRole('heading', { name: 'Sign in' }).waitFor();
    await enter(page, 'ada@example.com');
    await page.getByRole('heading', { name: 'Team' }).waitFor();
    expect(page.url()).toBe(`${server.origin}/settings/team?x=1`);
    await context.close();
  });

  it.each(['//evil.example', '/\\evil.example', 'https://evil.example', 'javascript:alert(1)'])(
    'never leads to %s',
    async (next) => {
      const { page, context } = await open(`/sign-in?next=${encodeURIComponent(next)}`);
      await signIn(page, 'ada@example.com');
      expect(new URL(page.url()).origin).toBe(server.origin);
      await context.close();
    },
  );

  it('shows what is hostile as text', async () => {
    const hostile = [
      '<img src=x onerror="alert(1)">',
      '"><script>alert(1)</script>',
      '[a](javascript:alert(1))',
      '{{constructor.constructor("alert(1)")()}}',
      '<svg onload=alert(1)>',
      '\u202Eevil',
    ];
    const create =
      'mutation ($t: String!, $tags: [String!]) { createTask(input: { title: $t, description: $t, tags: $tags }) { task { id } } }';
    const ids: string[] = [];
    for (const t of hostile) {
      const made = await server.gql(create, { t, tags: [t.slice(0, 50)] });
      ids.push(made.data.createTask.task.id);
      await server.gql(
        'mutation ($id: ID!, $b: String!) { createComment(input: { taskId: $id, body: $b }) { comment { id } } }',
        { id: ids.at(-1), b: t },
      );
      await server.gql('mutation ($n: String!) { createProject(input: { name: $n }) { project { id } } }', { n: t });
      await server.gql(
        'mutation ($n: String!) { createApiKey(input: { name: $n, description: $n, scopes: [] }) { key } }',
        { n: t },
      );
      await server.post('{"query":"{ viewer { scopes } }"}', server.adminKey, {
        'user-agent': t.replace(/[^\x20-\x7e]/g, ''),
      });
    }
    await server.flushUsage();
    const { page, problems, context } = await open('/sign-in');
    await signIn(page, 'ada@example.com');
    const admin = await server.system.apiKey.findFirstOrThrow({ where: { name: 'First admin key' } });
    for (const path of [
      '/',
      '/tasks',
      ...ids.map((id) => `/tasks/${id}`),
      '/board',
      '/projects',
      '/settings/api-keys',
      `/settings/api-keys/${admin.id}`,
      '/settings/review',
      '/settings/audit',
    ]) {
      await page.goto(server.origin + path);
      await page.locator('h1').first().waitFor();
      await page.waitForFunction(() => !document.querySelector('[role=status][aria-label^=Loading]'));
      expect(await page.locator('main img, main svg[onload], main script').count(), path).toBe(0);
    }
    await page.goto(`${server.origin}/tasks`);
    await page
      .getByText(hostile[0] ?? '')
      .first()
      .waitFor();
    expect(problems).toEqual([]);
    await context.close();
  });

  it('has no violation of WCAG 2.2 AA on any page, in light and dark', async () => {
    const key = await server.system.apiKey.findFirstOrThrow({ where: { name: 'First admin key' } });
    const made = await server.gql('mutation { createTask(input: { title: "Looked at" }) { task { id } } }');
    const task = { id: made.data.createTask.task.id };
    for (const colorScheme of ['light', 'dark'] as const) {
      const { page, context } = await open('/sign-in', server, { colorScheme });
      await page.getByRole('heading', { name: 'Sign in' }).waitFor();
      const found: [string, string[]][] = [['/sign-in', await violations(page)]];
      await signIn(page, 'ada@example.com');
      for (const path of [
        ...[
          '/',
          '/tasks',
          `/tasks/${task.id}`,
          '/board',
          '/projects',
          '/trash',
          '/settings/api-keys',
          '/settings/api-keys/new',
        ],
        ...[
          `/settings/api-keys/${key.id}`,
          '/settings/review',
          '/settings/alerts',
          '/settings/audit',
          '/settings/team',
          '/settings/applications',
        ],
        ...['/settings/usage', '/settings/account', '/tasks/none', '/settings/nowhere'],
      ]) {
        await page.goto(server.origin + path);
        await page.locator('h1, h2, [role=alert]').first().waitFor();
        await page.waitForFunction(() => !document.querySelector('[role=status][aria-label^=Loading]'));
        found.push([path, await violations(page)]);
      }
      expect(found.filter(([, all]) => all.length > 0)).toEqual([]);
      await context.close();
    }
  }, 180_000);

  it('is used by the keyboard alone: to the page past the navigation, and through a dialog and back', async () => {
    const { page, context } = await open('/sign-in');
    await page.getByLabel('Email').waitFor();
    await page.keyboard.type('ada@example.com');
    await page.keyboard.press('Tab');
    await page.keyboard.type(PASSWORD);
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'Welcome, Ada' }).waitFor();
    await page.goto(`${server.origin}/projects`);
    await page.getByRole('button', { name: 'New project' }).waitFor();
    await page.keyboard.press('Tab');
    expect(await page.evaluate(() => document.activeElement?.textContent)).toBe('Skip to the page');
    await page.keyboard.press('Enter');
    await page.keyboard.press('Tab');
    expect(await page.evaluate(() => document.activeElement?.textContent)).toBe('New project');
    await page.keyboard.press('Enter');
    await page.getByRole('dialog').waitFor();
    await until(() => page.evaluate(() => document.activeElement?.tagName === 'INPUT'));
    await page.keyboard.type('By keys alone');
    await page.keyboard.press('Enter');
    await page.getByRole('link', { name: 'By keys alone', exact: true }).waitFor();
    expect(await page.getByRole('dialog').count()).toBe(0);
    await context.close();
  });

  it('has no control that the keyboard does not reach, nor one that does not show that it is there', async () => {
    const key = await server.system.apiKey.findFirstOrThrow({ where: { name: 'First admin key' } });
    const project = await server.gql('mutation { createProject(input: { name: "By Tab" }) { project { id } } }');
    const { id: projectId } = project.data.createProject.project;
    const input = { title: 'Reached', projectId };
    const made = await server.gql('mutation ($i: CreateTaskInput!) { createTask(input: $i) { task { id } } }', {
      i: input,
    });
    const { page, context } = await open('/sign-in');
    const unreached: Record<string, string[]> = {};
    const look = async (path: string) => {
      await page.locator('h1, h2, [role=alert]').first().waitFor();
      await page.waitForFunction(() => !document.querySelector('[role=status][aria-label^=Loading]'));
      await page.evaluate(() => {
        (document.activeElement as HTMLElement | null)?.blur();
        window.getSelection()?.removeAllRanges();
      });
      const [count, hidden] = [await page.evaluate(MARK_CONTROLS), new Set<string>()];
      for (let at = 0; at < count * 2 + 20; at += 1) {
        await page.keyboard.press('Tab');
        const shown = await page.evaluate(MARK_FOCUS);
        if (shown !== '') hidden.add(shown);
        if ((await page.evaluate(LEFT_OVER)).length === 0) break;
      }
      const left = [...(await page.evaluate(LEFT_OVER)), ...[...hidden].map((one) => `not shown: ${one}`)];
      if (left.length > 0) unreached[path] = left;
    };
    await look('/sign-in');
    await signIn(page, 'ada@example.com');
    for (const path of [
      ...[
        '/',
        '/tasks',
        `/tasks/${made.data.createTask.task.id}`,
        `/board?project=${projectId}`,
        '/projects',
        '/trash',
      ],
      ...['/settings/api-keys', '/settings/api-keys/new', `/settings/api-keys/${key.id}`, '/settings/review'],
      ...['/settings/applications', '/settings/alerts', '/settings/audit', '/settings/team', '/settings/usage'],
      '/settings/account',
    ]) {
      await page.goto(server.origin + path);
      await look(path);
    }
    expect(unreached).toEqual({});
    await context.close();
  }, 240_000);

  it('weighs less than 250 kB, and is there with 10,000 tasks', async () => {
    const large = await startTestServer();
    let context: BrowserContext | undefined;
    try {
      await visitor(large).signUp('ada@example.com');
      const tenant = { workspaceId: large.workspace.id, environment: 'LIVE' as const };
      const rows = Array.from({ length: 10_000 }, (_, at) => ({
        ...{
          ...tenant,
          id: `task-${String(at).padStart(5, '0')}`,
          number: at + 1,
          position: at,
          title: `Task ${at + 1}`,
        },
        createdAt: new Date(Date.UTC(2026, 0, 1) + at * 1000),
      }));
      for (let at = 0; at < rows.length; at += 1000)
        await large.system.task.createMany({ data: rows.slice(at, at + 1000) });
      const opened = await open('/sign-in', large);
      context = opened.context;
      const { page } = opened;
      await page.getByLabel('Email').waitFor();
      const sizes = new Map<string, number>();
      page.on('response', async (response) => {
        if (!response.url().includes('/graphql') && !response.url().includes('/api/')) {
          const { responseBodySize } = await response.request().sizes();
          sizes.set(response.url(), responseBodySize);
        }
      });
      await signIn(page, 'ada@example.com');
      await page.evaluate(() => performance.clearResourceTimings());
      const session = await context.newCDPSession(page);
      await session.send('Network.enable');
      await session.send('Network.setCacheDisabled', { cacheDisabled: true });
      await page.goto(`${large.origin}/`);
      await page.getByRole('heading', { name: 'Welcome, ada' }).waitFor();
      await page.waitForLoadState('networkidle');
      const bytes = [...sizes.values()].reduce((sum, size) => sum + size, 0);
      expect(bytes).toBeGreaterThan(50_000);
      expect(bytes).toBeLessThan(FIRST_PAGE);
      await page.goto(`${large.origin}/tasks`);
      await page.getByText('Task 10000', { exact: true }).waitFor();
      // A thousand rows are scrolled through, of which few are in the page at a time.
      const list = page.getByRole('region', { name: 'Tasks' });
      const last = async () =>
        Number(/\d+/.exec((await page.locator('li.task a').last().textContent()) ?? '')?.[0] ?? Number.NaN);
      await until(async () => {
        await list.evaluate((element) => element.scrollTo(0, element.scrollHeight));
        return (await last()) <= 9000;
      }, 30_000);
      expect(await page.locator('li.task').count()).toBeLessThan(80);
    } finally {
      await context?.close();
      await large.stop();
    }
  });
});
