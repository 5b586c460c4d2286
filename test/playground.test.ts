/** The playground in a real browser: it loads from nowhere else, and its first query runs with a key. */
import { execFileSync } from 'node:child_process';
import { chromium } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestServer, type TestServer } from './support/server.js';

function browserPath(): string | undefined {
  for (const name of ['chromium', 'chromium-browser', 'google-chrome']) {
    try {
      return execFileSync('which', [name]).toString().trim();
    } catch {
      // The next one.
    }
  }
  process.stderr.write('\n*** NOT TESTED: no Chromium on the PATH; the playground was not opened. ***\n\n');
  return undefined;
}
const executablePath = browserPath();

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
  it('shows the headers and a first query, which runs once the key is there', async () => {
    await server.gql('mutation { createTask(input: { title: "Seen in the playground" }) { task { id } } }');
    const browser = await chromium.launch({
      executablePath: executablePath ?? '',
      args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking'],
    });
    const page = await browser.newPage();
    page.setDefaultTimeout(15_000);
    const elsewhere: string[] = [];
    const problems: string[] = [];
    page.on('request', (request) => {
      if (!request.url().startsWith(server.origin) && !/^(blob|data):/.test(request.url()))
        elsewhere.push(request.url());
    });
    page.on('console', (message) => {
      if (/content security policy/i.test(message.text())) problems.push(message.text());
    });
    await page.goto(server.url);
    await page.getByText('Put your API key').waitFor();
    await page.getByText('"Authorization"').waitFor();
    await page.locator('.graphiql-editor-tool .view-lines').last().click();
    await page.keyboard.press('Control+A');
    await page.keyboard.insertText(JSON.stringify({ Authorization: `Bearer ${server.adminKey}` }));
    // The editor closes quotes and braces by itself.
    await page.keyboard.press('Control+Shift+End');
    await page.keyboard.press('Delete');
    await page.getByRole('button', { name: /execute/i }).click();
    await page.getByText('Seen in the playground').waitFor();
    await browser.close();
    expect(elsewhere).toEqual([]);
    expect(problems).toEqual([]);
  });
});
