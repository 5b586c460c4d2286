import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { printWithScopes } from '../src/graphql/print.js';
import { schema } from '../src/graphql/schema/schema.js';

it('schema.graphql is what the code says (npm run schema writes it)', () => {
  expect(readFileSync('schema.graphql', 'utf8')).toBe(printWithScopes(schema));
});

it('every name of the contract is there', () => {
  const query = Object.keys(schema.getQueryType()?.getFields() ?? {});
  expect(query).toEqual(
    expect.arrayContaining(
      'viewer requiredScopes node nodes task tasks project projects user users apiKey apiKeys'.split(' '),
    ),
  );
  const mutation = schema.getMutationType()?.getFields() ?? {};
  const names = `createTask updateTask deleteTask createProject updateProject archiveProject deleteProject
    createTaskRelationship deleteTaskRelationship createUser updateUser deleteUser createApiKey revokeApiKey`;
  expect(Object.keys(mutation)).toEqual(expect.arrayContaining(names.split(/\s+/)));
  for (const [name, field] of Object.entries(mutation)) {
    const type = name.charAt(0).toUpperCase() + name.slice(1);
    expect(field.args.map((arg) => `${arg.name}: ${arg.type}`)).toEqual([`input: ${type}Input!`]);
    expect(String(field.type).replace('!', '')).toBe(`${type}Payload`);
  }
});
