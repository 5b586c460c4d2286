/** Fields that a key may not see, taken out of what runs and put back into what is answered. */
import { type DocumentNode, type FieldNode, Kind, visit } from 'graphql';
import { responseKey, type SelectedField } from './selectedFields.js';

const MARK = '__forbidden_';

/**
 * The document with each of these fields replaced by `__typename` under a marked alias, so that nothing of it runs.
 * `unmask` turns the marks in the result into null.
 */
export function maskFields(document: DocumentNode, denied: readonly SelectedField[]): DocumentNode {
  const all = new Set(denied);
  // Below a denied field nothing runs anyway; a fragment's field that names another key may be the calling one's elsewhere.
  const isBelowDenied = ({ ownKey, parent }: SelectedField) => {
    for (let above = ownKey && parent; above; above = above.parent) if (all.has(above)) return true;
    return false;
  };
  const nodes = new Set<FieldNode>(denied.filter((field) => !isBelowDenied(field)).map(({ node }) => node));
  return visit(document, {
    Field: (node) =>
      nodes.has(node)
        ? {
            kind: Kind.FIELD,
            name: { kind: Kind.NAME, value: '__typename' },
            alias: { kind: Kind.NAME, value: MARK + responseKey(node) },
            ...(node.directives && { directives: node.directives }),
          }
        : undefined,
  });
}

/** The name in the answer of a field of the masked document, and whether the field was taken out. */
export function unmaskedKey(key: string): { readonly key: string; readonly isMasked: boolean } {
  const isMasked = key.startsWith(MARK);
  return { key: isMasked ? key.slice(MARK.length) : key, isMasked };
}

export function unmask(data: unknown): unknown {
  if (Array.isArray(data)) return data.map(unmask);
  if (data === null || typeof data !== 'object' || data instanceof Date) return data;
  return Object.fromEntries(
    Object.entries(data).map(([name, value]) => {
      const { key, isMasked } = unmaskedKey(name);
      return [key, isMasked ? null : unmask(value)];
    }),
  );
}
