// Makes the types of schema.graphql for the dashboard's operations (gql.tada reads them).
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { minifyIntrospection, outputIntrospectionFile } from '@gql.tada/internal';
import { buildSchema, introspectionFromSchema } from 'graphql';

const root = path.dirname(import.meta.dirname);
const schema = buildSchema(readFileSync(path.join(root, 'schema.graphql'), 'utf8'));
const introspection = minifyIntrospection(introspectionFromSchema(schema, { descriptions: false }), {
  includeEnums: true,
  includeInputs: true,
  includeScalars: true,
});
const types = outputIntrospectionFile(introspection, { fileType: '.d.ts', shouldPreprocess: true });
writeFileSync(path.join(root, 'dashboard/src/schema.d.ts'), types);
