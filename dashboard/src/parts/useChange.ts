/** A mutation, its progress and its refusal, for a button or a form. */
import type { TadaDocumentNode } from 'gql.tada';
import { useCallback, useState } from 'react';
import { useClient } from 'urql';

export interface Change<Result, Variables> {
  /** @returns the result; undefined where it failed, which `error` tells */
  readonly run: (variables: Variables) => Promise<Result | undefined>;
  readonly isRunning: boolean;
  readonly error: Error | undefined;
  readonly clear: () => void;
}

export function useChange<Result, Variables extends object>(
  document: TadaDocumentNode<Result, Variables>,
): Change<Result, Variables> {
  const client = useClient();
  const [isRunning, setRunning] = useState(false);
  const [error, setError] = useState<Error>();
  const run = useCallback(
    async (variables: Variables) => {
      setRunning(true);
      setError(undefined);
      const result = await client.mutation<Result, Variables>(document as never, variables as never).toPromise();
      setRunning(false);
      if (!result.error) return result.data;
      setError(result.error);
      return undefined;
    },
    [client, document],
  );
  const clear = useCallback(() => setError(undefined), []);
  return { run, isRunning, error, clear };
}
