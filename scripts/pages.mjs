// Makes the pages that never change, after the sources and the dashboard were compiled.
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { playgroundPage } from '../dist/modules/http/playgroundPage.js';

const dist = path.join(import.meta.dirname, '../dist');
const folder = path.join(dist, 'pages');
rmSync(folder, { recursive: true, force: true });
mkdirSync(folder, { recursive: true });

const built = path.join(dist, 'dashboard');
/** @type {Record<string, { etag: string }>} */
const files = {};
for (const entry of readdirSync(built, { recursive: true, withFileTypes: true })) {
  if (!entry.isFile()) continue;
  const name = path.relative(built, path.join(entry.parentPath, entry.name));
  const content = readFileSync(path.join(built, name));
  files[name] = { etag: `W/"${createHash('sha256').update(content).digest('base64url').slice(0, 22)}"` };
  const target = path.join(folder, 'dashboard', `${name}.gz`);
  mkdirSync(path.dirname(target), { recursive: true });
  writeFileSync(target, gzipSync(content, { level: 9 }));
}
writeFileSync(path.join(folder, 'dashboard/files.json'), JSON.stringify(files));

// Last: what was built is known by it (build-if-needed.mjs).
const { body, headers } = playgroundPage();
writeFileSync(path.join(folder, 'playground.html.gz'), body);
writeFileSync(path.join(folder, 'playground.json'), JSON.stringify(headers));
