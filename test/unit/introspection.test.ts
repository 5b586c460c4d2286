/** Schemas as keys see them, made for many sets of scopes. */
import { buildClientSchema, buildSchema, getIntrospectionQuery, validateSchema } from 'graphql';
import { expect, it } from 'vitest';
import { Introspection } from '../../src/graphql/introspection.js';
import { schema } from '../../src/graphql/schema/schema.js';
import { compileDocument } from '../../src/operations/document.js';
import { shapedSchema } from '../../src/operations/shapedSchema.js';
import { SCOPES, type Scope, scopeSet } from '../../src/scopes/scope.js';

const QUERY = getIntrospectionQuery();

it('is a valid schema for 50 sets of scopes, for GraphQL itself and for its clients', () => {
  const names = Object.keys(SCOPES) as Scope[];
  const sets = new Set<string>();
  for (let seed = 1; sets.size < 50; seed += 1) {
    const held = scopeSet(names.filter((_, index) => (Math.imul(seed, 2_654_435_761) >>> (index + 3)) % 3 === 0));
    sets.add([...held].join());
    const shape = shapedSchema(schema, held);
    expect(validateSchema(shape), [...held].join()).toEqual([]);
    const document = compileDocument(shape, QUERY);
    const operation = document.errors ? undefined : document.operation();
    const told = operation && new Introspection(schema, 'scoped').answer(operation.without([]), {}, held);
    expect(validateSchema(buildClientSchema(JSON.parse(told ?? ''))), [...held].join()).toEqual([]);
    expect(shapedSchema(schema, held)).toBe(shape);
  }
});

it('answers from memory what it answered before, by what the key sees and by the variables', () => {
  const small = buildSchema('type Query { a: Int b: Int }');
  const introspection = new Introspection(small, 'full');
  const text = 'query ($n: String!) { __type(name: $n) { name description } }';
  const document = compileDocument(small, text);
  const executable = document.errors ? undefined : document.operation()?.without([]);
  if (!executable) throw new Error('no operation');
  const ask = (n: string) => introspection.answer(executable, { n }, scopeSet([]));
  const first = ask('Query');
  const type = small.getQueryType();
  if (type) type.description = 'changed';
  expect(ask('Query')).toBe(first);
  expect(ask('Int')).toContain('Int');
  expect(new Introspection(small, 'full').answer(executable, { n: 'Query' }, scopeSet([]))).toContain('changed');
});

it('the query that tools send is within the limits of an operation', () => {
  expect(compileDocument(schema, QUERY).errors).toBeUndefined();
});
