// Generates the Prisma clients for both providers from prisma/schema.prisma, and Pothos' types.
// Skips what is up to date, so that `npm start` and `npm test` may call it every time.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const require = createRequire(import.meta.url);
const schema = readFileSync(path.join(root, 'prisma/schema.prisma'), 'utf8');
const generated = path.join(root, 'src/db/generated');
const stamp = path.join(generated, '.stamp');
const inputs = [schema, readFileSync(fileURLToPath(import.meta.url)), readFileSync(path.join(root, 'package.json'))];
const digest = createHash('sha256').update(inputs.join('\n')).digest('hex');

if (!existsSync(stamp) || readFileSync(stamp, 'utf8') !== digest) {
  const postgresql = postgresqlVariant(schema);
  const variant = path.join(root, 'prisma/schema.postgresql.prisma');
  writeFileSync(variant, postgresql);
  const prisma = path.join(path.dirname(require.resolve('prisma/package.json')), 'build/index.js');
  for (const file of ['prisma/schema.prisma', 'prisma/schema.postgresql.prisma']) {
    execFileSync(process.execPath, [prisma, 'generate', '--no-hints', '--schema', file], {
      cwd: root,
      stdio: ['ignore', 'ignore', 'inherit'],
      // Generating needs no schema engine; any existing file keeps Prisma from downloading one.
      env: {
        ...process.env,
        PATH: `${path.join(root, 'node_modules/.bin')}${path.delimiter}${process.env.PATH}`,
        PRISMA_SCHEMA_ENGINE_BINARY: process.execPath,
        PRISMA_HIDE_UPDATE_MESSAGE: '1',
      },
    });
  }
  mkdirSync(generated, { recursive: true });
  writeFileSync(stamp, digest);
}

/** @param {string} source prisma/schema.prisma */
function postgresqlVariant(source) {
  return (
    source
      .replace('provider = "sqlite"', 'provider = "postgresql"')
      .replace('src/db/generated/sqlite', 'src/db/generated/postgresql')
      .replace(/generator pothos \{[^}]*\}\n/, '')
      // What the other database has no words for.
      .replaceAll('// postgresql: ', '')
  );
}
