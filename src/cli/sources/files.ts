/**
 * GraphQL in the files of an app: whole files, tagged templates of JavaScript and TypeScript, what Relay compiled, manifests of
 * persisted documents, and gql() of Python.
 */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { ApiError } from '../../errors.js';
import type { FoundInFiles } from './documents.js';
import { dynamicTemplates } from './dynamicTemplates.js';
import { callersFolder } from './folder.js';
import { documentsInManifest } from './manifest.js';
import { pythonStrings } from './python.js';

const GRAPHQL = new Set(['.graphql', '.gql', '.graphqls']);
const SCRIPTS = new Set(['.js', '.jsx', '.ts', '.tsx', '.mjs', '.cjs', '.mts', '.cts']);
/** Pages with scripts in them. */
const PAGES = new Set(['.vue', '.svelte']);
/** Files of an app; whatever has more was not meant. */
const MOST_FILES = 20_000;

/**
 * @param patterns files, or patterns such as `src/** /*.tsx`, from where the command was called
 * @throws ApiError where one matches no file, or a file cannot be read
 */
export async function textsInFiles(
  patterns: readonly string[],
  onFile: (done: number, total: number) => void = () => {},
): Promise<FoundInFiles> {
  const { glob } = await import('tinyglobby');
  const options = { cwd: callersFolder(), absolute: true, ignore: ['**/node_modules/**', '**/.git/**'] };
  const files = new Set<string>();
  for (const pattern of patterns) {
    const matching = await glob(pattern, options);
    if (matching.length === 0) throw new ApiError('NOT_FOUND', `No file matches ${pattern} in ${options.cwd}.`);
    for (const file of matching) files.add(file);
  }
  if (files.size > MOST_FILES) throw new ApiError('BAD_USER_INPUT', `${files.size} files match; name fewer.`);
  const found: FoundInFiles[] = [];
  for (const file of [...files].sort()) {
    found.push(await textsIn(file, path.relative(options.cwd, file)));
    onFile(found.length, files.size);
  }
  return {
    texts: found.flatMap(({ texts }) => texts),
    whole: found.flatMap(({ whole }) => whole),
    unreadable: found.flatMap(({ unreadable }) => unreadable),
  };
}

/** @param shown the name of the file for people */
async function textsIn(file: string, shown: string): Promise<FoundInFiles> {
  const extension = path.extname(file);
  if (extension === '.json') {
    const documents = documentsInManifest(readFileSync(file, 'utf8')) ?? [];
    return { ...NOTHING, whole: documents.map(({ id, text }) => ({ document: text, where: `${shown}, ${id}` })) };
  }
  if (!GRAPHQL.has(extension) && !SCRIPTS.has(extension) && !PAGES.has(extension) && extension !== '.py')
    return NOTHING;
  const text = readFileSync(file, 'utf8');
  if (GRAPHQL.has(extension)) return { ...NOTHING, texts: [{ text, where: shown }] };
  if (extension === '.py') return pythonStrings(text, shown);
  const compiled = compiledByRelay(text);
  if (compiled !== undefined) return { ...NOTHING, texts: [{ text: compiled, where: shown }] };
  // Most files of an app have none, and reading one as a program takes its time.
  if (!/gql|graphql/i.test(text)) return NOTHING;
  return templatesIn(PAGES.has(extension) ? scriptsOf(text) : text, shown, PAGES.has(extension) ? '.ts' : '');
}

/** What Relay's compiler made of an operation: the text that is sent, which its templates are not. */
function compiledByRelay(text: string): string | undefined {
  if (!text.includes('"operationKind":')) return undefined;
  const [, literal] = /"text": ("(?:[^"\\\n]|\\.)*")/.exec(text) ?? [];
  return literal === undefined ? undefined : (JSON.parse(literal) as string);
}

const NOTHING: FoundInFiles = { texts: [], whole: [], unreadable: [] };

/** The scripts of a page, on the lines on which they stand. */
function scriptsOf(page: string): string {
  let scripts = '';
  for (const { 1: script = '', 0: block, index } of page.matchAll(/<script\b[^>]*>([\s\S]*?)<\/script>/gi)) {
    const before = page.slice(0, index + block.indexOf('>') + 1).split('\n').length;
    scripts += '\n'.repeat(Math.max(0, before - scripts.split('\n').length)) + script;
  }
  return scripts;
}

async function templatesIn(text: string, shown: string, as: string): Promise<FoundInFiles> {
  const { gqlPluckFromCodeString } = await import('@graphql-tools/graphql-tag-pluck');
  try {
    const sources = await gqlPluckFromCodeString(`${shown}${as}`, text, { skipIndent: true });
    const texts = sources.map(({ body, locationOffset }) => ({ text: body, where: `${shown}:${locationOffset.line}` }));
    const unreadable = dynamicTemplates(text).map((line) => `${shown}:${line}`);
    return { whole: [], texts: texts.filter(({ where }) => !unreadable.includes(where)), unreadable };
  } catch (error) {
    throw new ApiError('BAD_USER_INPUT', `${shown} cannot be read: ${(error as Error).message}`);
  }
}
