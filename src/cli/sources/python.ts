/** The strings that are given to gql() in a Python file. */
import type { FoundInFiles } from './documents.js';

/** Comments and strings, in which no call stands, and calls; and a string of one of the four quotings, with its prefix. */
const TOKEN =
  /#[^\n]*|\bgql\(|[rRuUbBfF]{0,2}(?:"""[\s\S]*?"""|'''[\s\S]*?'''|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*')/g;
const STRING = /([rRuUbBfF]{0,2})("""[\s\S]*?"""|'''[\s\S]*?'''|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*')/y;
const SPACE = /(?:\s|#[^\n]*)*/y;
const DEFINED = /\b(?:def|class)\s+$/;
const ESCAPES: Readonly<Record<string, string>> = {
  n: '\n',
  t: '\t',
  r: '\r',
  '\\': '\\',
  "'": "'",
  '"': '"',
  '\n': '',
};

export function pythonStrings(source: string, file: string): FoundInFiles {
  const texts: { text: string; where: string }[] = [];
  const unreadable: string[] = [];
  for (const { 0: token, index } of source.matchAll(TOKEN)) {
    if (token !== 'gql(' || DEFINED.test(source.slice(Math.max(0, index - 20), index))) continue;
    const where = `${file}:${source.slice(0, index).split('\n').length}`;
    const text = givenTo(source, index + token.length);
    if (text === undefined) unreadable.push(where);
    else if (text.trim() !== '') texts.push({ text, where });
  }
  return { texts, whole: [], unreadable };
}

/** What a call is given first, where that is written out; strings that stand side by side are one. */
function givenTo(source: string, start: number): string | undefined {
  let text = '';
  let at = spaceAfter(source, start);
  for (;;) {
    STRING.lastIndex = at;
    const string = STRING.exec(source);
    if (!string) break;
    const [whole, prefix = '', quoted = ''] = string;
    // Its braces are values that are known later.
    if (/f/i.test(prefix)) return undefined;
    text += textOf(prefix, quoted);
    at = spaceAfter(source, at + whole.length);
  }
  return source[at] === ')' || source[at] === ',' ? text : undefined;
}

function spaceAfter(source: string, at: number): number {
  SPACE.lastIndex = at;
  return at + (SPACE.exec(source)?.[0].length ?? 0);
}

function textOf(prefix: string, quoted: string): string {
  const quotes = quoted.startsWith('"""') || quoted.startsWith("'''") ? 3 : 1;
  const text = quoted.slice(quotes, -quotes);
  if (/r/i.test(prefix)) return text;
  return text.replace(/\\([\s\S])/g, (whole, character: string) => ESCAPES[character] ?? whole);
}
