/** What the operations of a text need, all of them together, as the server says. */
import { Kind, parse } from '@0no-co/graphql.web';
import { useEffect, useState } from 'react';
import { useClient } from 'urql';

export interface Needs {
  readonly scopes: readonly string[];
  /** Those that one does not hold oneself. */
  readonly missing: readonly string[];
}

/** Operations that are asked about at once. */
const BATCH = 10;
/** So many are asked about before the key is made; all of them are when it is made. */
const MOST = 100;

/** @returns undefined while it is not known, or there is nothing to know */
export function useNeeds(document: string): Needs | Error | undefined {
  const client = useClient();
  const [needs, setNeeds] = useState<Needs | Error>();
  useEffect(() => {
    setNeeds(undefined);
    if (document === '') return;
    let isWanted = true;
    const ask = async (): Promise<Needs> => {
      const names = namesIn(document);
      const [scopes, missing] = [new Set<string>(), new Set<string>()];
      for (let at = 0; at < names.length; at += BATCH) {
        const batch = names.slice(at, at + BATCH);
        const fields = batch.map((name, index) => {
          const named = name === undefined ? '' : `, operationName: ${JSON.stringify(name)}`;
          return `needs${index}: requiredScopes(document: $document${named}) { scopes missing }`;
        });
        const query = `query Needs($document: String!) { ${fields.join(' ')} }`;
        const { data, error } = await client.query<Record<string, Needs>>(query, { document }).toPromise();
        if (!data) throw error ?? new Error('The server does not answer.');
        for (const one of Object.values(data)) {
          for (const scope of one.scopes ?? []) scopes.add(scope);
          for (const scope of one.missing ?? []) missing.add(scope);
        }
      }
      return { scopes: [...scopes], missing: [...missing] };
    };
    ask().then(
      (found) => isWanted && setNeeds(found),
      (cause: Error) => isWanted && setNeeds(cause),
    );
    return () => {
      isWanted = false;
    };
  }, [client, document]);
  return needs;
}

/** @throws where it is no GraphQL; undefined stands for an operation without a name */
function namesIn(document: string): (string | undefined)[] {
  const operations = parse(document).definitions.flatMap((one) =>
    one.kind === Kind.OPERATION_DEFINITION ? [one.name?.value] : [],
  );
  if (operations.length === 0) throw new Error('There is no operation in it, only fragments.');
  if (operations.length > 1 && operations.includes(undefined)) {
    throw new Error('Of several operations each needs a name: query OpenTasks { ... }.');
  }
  return operations.slice(0, MOST);
}
