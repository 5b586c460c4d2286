/** Operations in the files of a program, as the dashboard reads them. */
import { describe, expect, it } from 'vitest';
import { documentsIn, together } from '../../dashboard/src/parts/operationsIn.js';

const read = (files: Readonly<Record<string, string>>) =>
  together(Object.entries(files).map(([name, text]) => ({ name, documents: documentsIn(text, name) })));

describe('operations in files', () => {
  it('are found with their variables, in scripts, components and Python', () => {
    const found = read({
      'a.ts': 'const A = gql`mutation Add($t: String!) { createTask(input: { title: $t }) { task { id } } }`;',
      'b.tsx': 'useQuery(graphql(`query Open($n: Int = 5) { tasks(first: $n) { totalCount } }`))',
      'c.py': 'gql("""query Py { viewer { scopes } }""")',
      'd.graphql': 'query Whole { projects { totalCount } }',
      'e.ts': 'const text = `no operation at all`;',
    });
    expect(found.operations).toBe(4);
    expect(found.skipped).toEqual([]);
    expect(found.text).toMatch(/mutation Add\(\$t: String!\)/);
    expect(found.text).toMatch(/query Py/);
  });

  it('come with the fragments that they use, from whichever file, each once, and with no others', () => {
    const found = read({
      'bits.graphql':
        'fragment Bits on Task { id ...More } fragment More on Task { title } fragment Unused on Task { id }',
      'a.tsx':
        // biome-ignore lint/suspicious/noTemplateCurlyInString: what stands in a file
        'const Q = gql`query A { tasks { nodes { ...Bits } } } ${BITS}`; const R = gql`query B { tasks { nodes { ...Bits } } } ${BITS}`;',
    });
    expect(found.operations).toBe(2);
    expect(found.text.match(/fragment Bits/g)).toHaveLength(1);
    expect(found.text).toContain('fragment More');
    expect(found.text).not.toContain('Unused');
  });

  it('that cannot be read are named, and the others are read', () => {
    const found = read({ 'good.graphql': 'query A { viewer { scopes } }', 'bad.graphql': 'query {' });
    expect(found.operations).toBe(1);
    expect(found.skipped).toEqual([expect.stringContaining('bad.graphql')]);
  });
});
