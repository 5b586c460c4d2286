// Puts the compiled modules and the libraries that they use into a few files: a thousand take longer to find, to read and to
// compile, and more memory. What is no JavaScript, or is read from files of its own, stays in node_modules.
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { rolldown } from 'rolldown';

const dist = path.join(import.meta.dirname, '../dist');
const chunks = path.join(dist, 'chunks');
/** Milliseconds that the chunks of an earlier build are kept: a server that still runs loads some of them when it needs them. */
const KEPT = 86_400_000;

const bundle = await rolldown({
  input: { main: path.join(dist, 'modules/main.js'), readThread: path.join(dist, 'modules/db/readThread.js') },
  platform: 'node',
  // The second, which is not installed, pg would use.
  external: ['better-sqlite3', 'pg-native'],
  onLog(level, log, report) {
    // Libraries name others that they use where those are installed.
    if (log.code !== 'UNRESOLVED_IMPORT') report(level, log);
  },
});
const { output } = await bundle.write({
  dir: dist,
  entryFileNames: '[name].js',
  chunkFileNames: 'chunks/[name]-[hash].js',
  // Errors and logs tell the names of classes and functions.
  keepNames: true,
  minify: { compress: false, mangle: false, codegen: { removeWhitespace: true } },
});
await bundle.close();

// Since when other builds have been there instead.
const record = path.join(chunks, 'superseded.json');
const known = existsSync(record) ? JSON.parse(readFileSync(record, 'utf8')) : {};
const written = new Set(output.map(({ fileName }) => path.basename(fileName)));
/** @type {Record<string, number>} */
const superseded = {};
for (const name of readdirSync(chunks)) {
  if (written.has(name) || !name.endsWith('.js')) continue;
  const since = known[name] ?? Date.now();
  if (Date.now() - since > KEPT) rmSync(path.join(chunks, name));
  else superseded[name] = since;
}
writeFileSync(record, JSON.stringify(superseded));
