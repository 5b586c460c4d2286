/** The checker of imports (biome.json) sees what it is there for: these files are planted beside a copy of its rules. */
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';

const folder = mkdtempSync(path.join(tmpdir(), 'taskgate-layers-'));
afterAll(() => rmSync(folder, { recursive: true }));

const UPWARD: Readonly<Record<string, string>> = {
  'src/tasks/planted.ts': "import type { Context } from '../graphql/context.js';\n\nexport type Planted = Context;\n",
  'src/db/planted.ts': "import { limitReached } from '../limits/meter.js';\n\nexport const planted = limitReached;\n",
  'src/keys/planted.ts': "import { GraphQLError } from 'graphql';\n\nexport const planted = GraphQLError;\n",
  'src/operations/planted.ts': "import type { Config } from '../config.js';\n\nexport type Planted = Config;\n",
  'src/rest/dialects/planted.ts':
    "import { hashKey } from '../../keys/format.js';\n\nexport const planted = hashKey;\n",
};
const CIRCLE: Readonly<Record<string, string>> = {
  'src/limits/one.ts': "import type { Two } from './two.js';\n\nexport type One = Two;\n",
  'src/limits/two.ts': "import type { One } from './one.js';\n\nexport type Two = One[];\n",
};
const DOWNWARD = 'src/http/fine.ts';

let found: ReadonlyMap<string, string>;
beforeAll(() => {
  copyFileSync('biome.json', path.join(folder, 'biome.json'));
  const fine = { [DOWNWARD]: UPWARD['src/db/planted.ts'] ?? '' };
  for (const [file, text] of Object.entries({ ...UPWARD, ...CIRCLE, ...fine })) {
    mkdirSync(path.dirname(path.join(folder, file)), { recursive: true });
    writeFileSync(path.join(folder, file), text);
  }
  const biome = path.resolve('node_modules/.bin/biome');
  const output = (() => {
    try {
      return execFileSync(biome, ['lint', '--vcs-enabled=false', '--reporter=github', '.'], { cwd: folder }).toString();
    } catch (error) {
      return String((error as { stdout: Buffer }).stdout);
    }
  })();
  const problems = [...output.matchAll(/title=lint\/\w+\/(\w+),file=([^,]+)/g)];
  found = new Map(problems.map(([, rule = '', file = '']) => [path.relative(folder, file), rule]));
});

it.each(Object.keys(UPWARD))('an import that points up is refused in %s', (file) => {
  expect(found.get(file)).toBe('noRestrictedImports');
});

it.each(Object.keys(CIRCLE))('a circle is refused in %s, of types too', (file) => {
  expect(found.get(file)).toBe('noImportCycles');
});

it('one that points down is not', () => {
  expect(found.get(DOWNWARD)).toBeUndefined();
});
