/** What is read by a route that is no GraphQL, its refusal, and how to read it again. */
import { useCallback, useEffect, useState } from 'react';

/** @param read the same function each time */
export function useLoaded<T>(read: () => Promise<T>) {
  const [data, setData] = useState<T>();
  const [error, setError] = useState<Error>();
  const load = useCallback(() => {
    read().then((next) => {
      setData(next);
      setError(undefined);
    }, setError);
  }, [read]);
  useEffect(load, [load]);
  /** Does it, and reads again; its refusal stands where that of reading does. */
  const change = useCallback((run: () => Promise<unknown>) => run().then(load, setError), [load]);
  return { data, error, load, change };
}
