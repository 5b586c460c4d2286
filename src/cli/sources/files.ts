/** GraphQL in the files of an app: whole files, tagged templates of JavaScript and TypeScript, and gql() of Python. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { ApiError } from '../../errors.js';
import type { FoundText } from './documents.js';
import { pythonStrings } from './python.js';

const GRAPHQL = new Set(['.graphql', '.gql', '.graphqls']);
const SCRIPTS = new Set(['.js', '.jsx', '.ts', '.tsx', '.mjs', '.cjs', '.mts', '.cts', '.vue', '.svelte']);
/** Files of an app; whatever has more was not meant. */
const MOST_FILES = 20_000;

/**
 * @param patterns files, or patterns such as `src/** /*.tsx`
 * @throws ApiError where no file matches, or one cannot be read
 */
export async function textsInFiles(
  patterns: readonly string[],
  onFile: (done: number, total: number) => void = () => {},
): Promise<FoundText[]> {
  const { glob } = await import('tinyglobby');
  const files = await glob([...patterns], { ignore: ['**/node_modules/**', '**/.git/**'], expandDirectories: true });
  if (files.length === 0) throw new ApiError('NOT_FOUND', `No file matches ${patterns.join(' ')}.`);
  if (files.length > MOST_FILES) throw new ApiError('BAD_USER_INPUT', `${files.length} files match; name fewer.`);
  const found: FoundText[] = [];
  for (const [index, file] of files.sort().entries()) {
    found.push(...(await textsIn(file)));
    onFile(index + 1, files.length);
  }
  return found;
}

async function textsIn(file: string): Promise<FoundText[]> {
  const extension = path.extname(file);
  if (!GRAPHQL.has(extension) && !SCRIPTS.has(extension) && extension !== '.py') return [];
  const text = readFileSync(file, 'utf8');
  if (GRAPHQL.has(extension)) return [{ text, where: file }];
  if (extension === '.py') return pythonStrings(text, file);
  // Most files of an app have none, and reading one as a program takes its time.
  if (!/gql|graphql/i.test(text)) return [];
  const { gqlPluckFromCodeString } = await import('@graphql-tools/graphql-tag-pluck');
  try {
    const sources = await gqlPluckFromCodeString(file, text, { skipIndent: true });
    return sources.map(({ body, locationOffset }) => ({ text: body, where: `${file}:${locationOffset.line}` }));
  } catch (error) {
    throw new ApiError('BAD_USER_INPUT', `${file} cannot be read: ${(error as Error).message}`);
  }
}
