/** The strings that are given to gql() in a Python file. */
import type { FoundText } from './documents.js';

const CALL = /\bgql\(\s*/g;
/** A prefix, and a string of one of the four quotings. */
const STRING = /([rRuUbBfF]{0,2})("""[\s\S]*?"""|'''[\s\S]*?'''|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*')\s*/y;
const ESCAPES: Readonly<Record<string, string>> = {
  n: '\n',
  t: '\t',
  r: '\r',
  '\\': '\\',
  "'": "'",
  '"': '"',
  '\n': '',
};

export function pythonStrings(source: string, file: string): FoundText[] {
  const found: FoundText[] = [];
  for (const call of source.matchAll(CALL)) {
    // Strings that stand side by side are one.
    let text = '';
    let at = call.index + call[0].length;
    for (;;) {
      STRING.lastIndex = at;
      const string = STRING.exec(source);
      if (!string) break;
      text += textOf(string[1] ?? '', string[2] ?? '');
      at += string[0].length;
    }
    const line = source.slice(0, call.index).split('\n').length;
    if (text.trim() !== '') found.push({ text, where: `${file}:${line}` });
  }
  return found;
}

function textOf(prefix: string, quoted: string): string {
  const quotes = quoted.startsWith('"""') || quoted.startsWith("'''") ? 3 : 1;
  const text = quoted.slice(quotes, -quotes);
  if (/r/i.test(prefix)) return text;
  return text.replace(/\\([\s\S])/g, (whole, character: string) => ESCAPES[character] ?? whole);
}
