// npm run schema: writes schema.graphql from the code. A test fails when the two differ.
import { writeFileSync } from 'node:fs';
import { printWithScopes } from '../dist/modules/graphql/print.js';
import { schema } from '../dist/modules/graphql/schema/schema.js';

writeFileSync(new URL('../schema.graphql', import.meta.url), printWithScopes(schema));
