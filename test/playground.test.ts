/** The playground in a real browser: it loads from nowhere else, and its first query runs with a key. */
import type { Browser, Request } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { browserPath, launch } from './support/browser.js';
import { startTestServer, type TestServer } from './support/server.js';
import { pass, until } from './support/stream.js';

const executablePath = browserPath('the playground');

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer();
});
afterAll(() => server.stop());

it('is a page of the package, compressed, with a policy that allows nothing from elsewhere', async () => {
  const page = await fetch(server.url, { headers: { accept: 'text/html' } });
  expect(page.status).toBe(200);
  expect(page.headers.get('content-type')).toContain('text/html');
  expect(page.headers.get('content-security-policy')).toMatch(/default-src 'none'.*connect-src 'self'/);
  const etag = page.headers.get('etag') ?? '';
  expect((await fetch(server.url, { headers: { accept: 'text/html', 'if-none-match': etag } })).status).toBe(304);
  expect((await fetch(server.url, { headers: { accept: 'application/json' } })).status).toBe(401);
});

describe.skipIf(!executablePath)('in a browser', () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await launch(executablePath);
  });
  afterAll(() => browser.close());

  /** A visitor's browser, and what it did that a page should not. */
  async function visitor() {
    const context = await browser.newContext();
    const page = await context.newPage();
    page.setDefaultTimeout(15_000);
    const problems: string[] = [];
    page.on('request', (request) => {
      if (!request.url().startsWith(server.origin) && !/^(blob|data):/.test(request.url()))
        problems.push(`asks ${request.url()}`);
    });
    page.on('response', (response) => {
      if (response.status() >= 400) problems.push(`${response.status()} ${response.url()}`);
    });
    page.on('console', (message) => {
      if (message.type() === 'error' || /content security policy/i.test(message.text())) problems.push(message.text());
    });
    const tabs = () => page.locator('.graphiql-tab').count();
    const queryText = async () => (await page.locator('.graphiql-query-editor .view-lines').innerText()).trim();
    const typeHeaders = async (headers: object) => {
      await page.locator('.graphiql-editor-tool .view-lines').last().click();
      await page.keyboard.press('Control+A');
      await page.keyboard.insertText(JSON.stringify(headers));
      // The editor closes quotes and braces by itself.
      await page.keyboard.press('Control+Shift+End');
      await page.keyboard.press('Delete');
    };
    return { page, problems, tabs, queryText, typeHeaders, leave: () => context.close() };
  }
  const isSchemaRequest = (request: Request) => (request.postData() ?? '').includes('IntrospectionQuery');

  it('shows the headers and a first query, which runs once the key is there', async () => {
    await server.gql('mutation { createTask(input: { title: "Seen in the playground" }) { task { id } } }');
    const { page, problems, typeHeaders, leave } = await visitor();
    await page.goto(server.url);
    await page.getByText('# Put your API key').waitFor();
    await page.getByText('"Authorization"').waitFor();
    await typeHeaders({ Authorization: `Bearer ${server.adminKey}` });
    await page.getByRole('button', { name: /execute/i }).click();
    await page.getByText('Seen in the playground').waitFor();
    await leave();
    expect(problems).toEqual([]);
  });

  it('asks for nothing that is refused when it is loaded, and for the schema when a key is typed, and another one', async () => {
    const { page, problems, typeHeaders, leave } = await visitor();
    const schemas: Request[] = [];
    page.on('request', (request) => {
      if (isSchemaRequest(request)) schemas.push(request);
    });
    await page.goto(server.url);
    await page.getByText('# Put your API key').waitFor();
    await pass(1500);
    expect([schemas.length, problems]).toEqual([0, []]);
    for (const [name, key] of [
      ['authorization', server.adminKey],
      ['x-api-key', await server.key(['tasks:read'])],
    ] as const) {
      const before = schemas.length;
      await typeHeaders({ [name]: name === 'authorization' ? `Bearer ${key}` : key });
      await until(() => schemas.length > before, 10_000);
      expect((await schemas.at(-1)?.allHeaders())?.[name]).toContain(key);
    }
    expect(problems).toEqual([]);
    await leave();
  });

  it('a later visit shows what the last one left, in the same tab', async () => {
    const { page, problems, tabs, queryText, leave } = await visitor();
    await page.goto(server.url);
    await page.getByText('# Put your API key').waitFor();
    await page.locator('.graphiql-query-editor .view-lines').click();
    await page.keyboard.press('Control+A');
    await page.keyboard.insertText('query Mine { viewer { environment } }');
    // It is kept a moment later.
    await until(
      async () =>
        (await page.evaluate<string | null>('localStorage.getItem("graphiql:tabState")'))?.includes('Mine') ?? false,
    );
    const count = await tabs();
    for (let visit = 0; visit < 3; visit += 1) {
      await page.goto('about:blank');
      await page.goto(server.url);
      await page.getByText('query Mine').first().waitFor();
      expect([await tabs(), (await queryText()).replace(/\s+/g, ' ')], `visit ${visit}`).toEqual([
        count,
        expect.stringContaining('query Mine'),
      ]);
    }
    expect(problems).toEqual([]);
    await leave();
  });
});
