/** Chromium, where there is one. */
import { execFileSync } from 'node:child_process';
import { type Browser, chromium } from 'playwright-core';

/** @param what is not tested where there is none, said loudly */
export function browserPath(what: string): string | undefined {
  for (const name of ['chromium', 'chromium-browser', 'google-chrome']) {
    try {
      return execFileSync('which', [name]).toString().trim();
    } catch {
      // The next one.
    }
  }
  process.stderr.write(`\n*** NOT TESTED: no Chromium on the PATH; ${what} was not opened. ***\n\n`);
  return undefined;
}

export const launch = (executablePath: string | undefined): Promise<Browser> =>
  chromium.launch({
    executablePath: executablePath ?? '',
    args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking'],
  });
