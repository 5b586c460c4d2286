/** GraphQL in a script that is not written out in one template, so that what is sent is not known before the app runs. */

const TAG = /\b(?:gql|graphql)\b\s*/g;

/** @returns the lines on which it begins */
export function dynamicTemplates(script: string): number[] {
  const source = withoutComments(script);
  const lines: number[] = [];
  for (const tag of source.matchAll(TAG)) {
    const at = tag.index + tag[0].length;
    const isCall = source[at] === '(';
    const start = isCall ? at + 1 + (/^\s*/.exec(source.slice(at + 1))?.[0].length ?? 0) : at;
    const isDynamic = source[start] === '`' ? isPutTogether(source, start) : isCall && isText(source, start);
    if (isDynamic) lines.push(source.slice(0, start).split('\n').length);
  }
  return lines;
}

/** A text in quotes, or a template or text that another is added to. */
const isText = (source: string, at: number) => source[at] === '"' || source[at] === "'";

/** Whether something stands within the braces that is known later, or after the template; fragments stand after the last brace. */
function isPutTogether(source: string, start: number): boolean {
  let depth = 0;
  for (let at = start + 1; at < source.length; at += 1) {
    const character = source[at];
    if (character === '\\') at += 1;
    else if (character === '`') return /^\s*\+/.test(source.slice(at + 1));
    else if (character === '$' && source[at + 1] === '{') {
      if (depth > 0) return true;
      at = source.indexOf('}', at);
      if (at < 0) return true;
    } else if (character === '{') depth += 1;
    else if (character === '}') depth -= 1;
  }
  return false;
}

/** With spaces in their place, so that lines stay. What looks like one within a text is left out too, which misses no template. */
function withoutComments(script: string): string {
  const blank = (text: string) => text.replace(/[^\n]/g, ' ');
  return script.replace(/\/\*[\s\S]*?\*\//g, blank).replace(/(^|\s)\/\/[^\n]*/g, blank);
}
