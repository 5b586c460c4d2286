// Builds when a source is newer than the last build, so that `npm start` and `npm test` work on a fresh clone.
import { execSync } from 'node:child_process';
import { existsSync, readdirSync, statSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
// Written last.
const built = path.join(root, 'dist/pages/playground.json');
const sources = [
  'src',
  'dashboard',
  'prisma/schema.prisma',
  'package.json',
  'tsconfig.json',
  'tsconfig.build.json',
  'scripts/bundle.mjs',
  'scripts/pages.mjs',
];
const GENERATED = new Set(['src/db/generated', 'dashboard/src/schema.d.ts']);

if (!existsSync(built) || newest(sources) > statSync(built).mtimeMs) {
  process.stderr.write('Building...\n');
  execSync('npm run --silent build', { cwd: root, stdio: ['ignore', 2, 2] });
}

/** @param {string[]} entries @returns {number} the latest modification, in milliseconds since 1970 */
function newest(entries) {
  return Math.max(
    ...entries.map((entry) => {
      const file = path.join(root, entry);
      if (!existsSync(file) || GENERATED.has(entry)) return 0;
      const status = statSync(file);
      return status.isDirectory() ? newest(readdirSync(file).map((name) => path.join(entry, name))) : status.mtimeMs;
    }),
  );
}
