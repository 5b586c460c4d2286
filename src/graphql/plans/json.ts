/** JSON text, made value by value without an object for each row. */
import { GraphQLEnumType, type GraphQLLeafType } from 'graphql';

/** What JSON.stringify writes otherwise than it stands: half of a surrogate pair too. */
const ESCAPED = /["\\\p{Cc}\p{Cs}]/u;

export const text = (value: string): string => (ESCAPED.test(value) ? JSON.stringify(value) : `"${value}"`);

/** How a value of the type is written, as its `serialize` and JSON.stringify would; the database has checked its type. */
export function leafWriter(type: GraphQLLeafType): (value: unknown) => string {
  const others = (value: unknown) => JSON.stringify(type.serialize(value));
  if (type instanceof GraphQLEnumType) {
    const names = new Map(type.getValues().map(({ name, value }) => [value as unknown, text(name)]));
    return (value) => names.get(value) ?? others(value);
  }
  switch (type.name) {
    case 'ID':
    case 'String':
      return (value) => (typeof value === 'string' ? text(value) : others(value));
    case 'Int':
    case 'Float':
      return (value) => (Number.isFinite(value) ? String(value === 0 ? 0 : value) : others(value));
    case 'Boolean':
      return (value) => (typeof value === 'boolean' ? String(value) : others(value));
    case 'DateTime':
      return (value) => (value instanceof Date ? `"${value.toISOString()}"` : others(value));
    default:
      return others;
  }
}

/** Writes an object of these fields, each by its part of what is shown. */
export function objectWriter<Shown extends readonly unknown[]>(
  fields: readonly (readonly [key: string, write: (...shown: Shown) => string])[],
): (...shown: Shown) => string {
  const keys = fields.map(([key], index) => `${index === 0 ? '{' : ','}${JSON.stringify(key)}:`);
  const writes = fields.map(([, write]) => write);
  if (fields.length === 0) return () => '{}';
  return (...shown) => {
    let written = '';
    for (let index = 0; index < keys.length; index += 1) written += `${keys[index]}${writes[index]?.(...shown)}`;
    return `${written}}`;
  };
}

export const listOf = (items: readonly string[]): string => `[${items.join(',')}]`;
