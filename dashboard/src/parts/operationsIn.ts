/** The GraphQL documents in the files of a program: whole files, and what stands in gql`...`, graphql(`...`) and gql("""...""") . */
import { type DocumentNode, Kind, parse, print, visit } from '@0no-co/graphql.web';

const SCRIPT = /(?:\bgql|\bgraphql|\/\* *GraphQL *\*\/)\s*\(?\s*`((?:[^`\\]|\\.)*)`/g;
const PYTHON = /\bgql\s*\(\s*[rf]?("""|''')([\s\S]*?)\1/g;
/** Characters of a request, together with what surrounds them. */
const MOST = 100_000;

export const READABLE = /\.(graphql|gql|[cm]?[jt]sx?|vue|svelte|py)$/;

export interface FoundOperations {
  readonly text: string;
  readonly operations: number;
  /** Names of files of which something could not be read, and why. */
  readonly skipped: readonly string[];
}

/** What a file has, before it is known what is of use. */
export function documentsIn(text: string, name: string): string[] {
  if (/\.(graphql|gql)$/.test(name)) return [text];
  const found = name.endsWith('.py')
    ? [...text.matchAll(PYTHON)].map(([, , body = '']) => body)
    : // What is embedded is a document of its own, which stands in some file too.
      [...text.matchAll(SCRIPT)].map(([, body = '']) => body.replace(/\$\{[^}]*\}/g, ''));
  return found.filter((body) => /\{/.test(body));
}

/** All of them as one text, with the fragments that are used, each once. */
export function together(files: readonly { name: string; documents: readonly string[] }[]): FoundOperations {
  const skipped: string[] = [];
  const definitions = new Map<string, DocumentNode['definitions'][number]>();
  for (const { name, documents } of files) {
    for (const document of documents) {
      try {
        for (const one of parse(document).definitions) {
          const known = definitions.get(`${one.kind} ${nameOf(one)}`);
          if (known && print(known) !== print(one)) {
            skipped.push(`${name}: there is another ${nameOf(one)}, which is not the same`);
          } else definitions.set(`${one.kind} ${nameOf(one)}`, one);
        }
      } catch (error) {
        skipped.push(`${name}: ${(error as Error).message}`);
      }
    }
  }
  const all = [...definitions.values()];
  const operations = all.filter((one) => one.kind === Kind.OPERATION_DEFINITION);
  const used = new Set<string>();
  const use = (node: DocumentNode['definitions'][number]) =>
    visit(node, {
      FragmentSpread({ name: { value } }) {
        const fragment = definitions.get(`${Kind.FRAGMENT_DEFINITION} ${value}`);
        if (!fragment || used.has(value)) return;
        used.add(value);
        use(fragment);
      },
    });
  for (const operation of operations) use(operation);
  const kept = all.filter((one) => one.kind === Kind.OPERATION_DEFINITION || used.has(nameOf(one)));
  const text = kept.map((one) => print(one)).join('\n\n');
  if (text.length <= MOST) return { text, operations: operations.length, skipped };
  return {
    text: '',
    operations: 0,
    skipped: [...skipped, `They are longer than ${MOST} characters: use taskgate keys create --from.`],
  };
}

const nameOf = (definition: DocumentNode['definitions'][number]): string =>
  'name' in definition && definition.name ? definition.name.value : print(definition as never);
