/** Forms whose rules are the server's: what it refuses stands at the field that it names. */

import type { FieldValues, Path, UseFormSetError } from 'react-hook-form';
import { said } from './states.tsx';

/** @returns what is wrong with no field of the form, in words; undefined: nothing */
export function showErrors<T extends FieldValues>(
  fields: Readonly<Record<string, readonly string[]>>,
  known: readonly Path<T>[],
  setError: UseFormSetError<T>,
  message: string,
): string | undefined {
  const named = Object.entries(fields);
  const rest: string[] = [];
  let isFirst = true;
  for (const [name, messages] of named) {
    const text = said(messages) ?? '';
    const field = known.find((one) => one === name);
    if (field) {
      setError(field, { message: text }, { shouldFocus: isFirst });
      isFirst = false;
    } else rest.push(`${name} ${text}`);
  }
  if (named.length === 0) return message;
  return rest.length > 0 ? rest.join('; ') : undefined;
}
