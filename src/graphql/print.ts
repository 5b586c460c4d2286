/** The schema as text, with the scopes that each type and field needs: what is committed as schema.graphql. */
import {
  type ConstDirectiveNode,
  type GraphQLSchema,
  isInputObjectType,
  isObjectType,
  Kind,
  lexicographicSortSchema,
  parse,
  parseConstValue,
  print,
  printSchema,
  visit,
} from 'graphql';
import { ownRequirement, requirementOfInput } from '../operations/requirement.js';
import { NOTHING_REQUIRED, type Requirement } from '../scopes/scope.js';

const DIRECTIVE = `"""
The scopes that are needed: one of the inner lists, all of it.
"""
directive @requiresScopes(scopes: [[String!]!]!) on FIELD_DEFINITION | INPUT_FIELD_DEFINITION | OBJECT
`;

export function printWithScopes(schema: GraphQLSchema): string {
  const sorted = lexicographicSortSchema(schema);
  const document = visit(parse(printSchema(sorted)), {
    ObjectTypeDefinition(node) {
      const type = schema.getType(node.name.value);
      if (!isObjectType(type)) return undefined;
      return {
        ...node,
        directives: directives(ownRequirement(type)),
        fields: (node.fields ?? []).map((fieldNode) => {
          const field = type.getFields()[fieldNode.name.value];
          return field
            ? { ...fieldNode, directives: directives(ownRequirement(field), fieldNode.directives) }
            : fieldNode;
        }),
      };
    },
    InputObjectTypeDefinition(node) {
      const type = schema.getType(node.name.value);
      if (!isInputObjectType(type)) return undefined;
      return {
        ...node,
        fields: (node.fields ?? []).map((fieldNode) => {
          const field = type.getFields()[fieldNode.name.value];
          const requirement = field && requirementOfInput(field);
          if (!requirement || requirement === NOTHING_REQUIRED) return fieldNode;
          return { ...fieldNode, directives: directives(requirement, fieldNode.directives) };
        }),
      };
    },
  });
  return `${DIRECTIVE}\n${print(document)}\n`;
}

function directives(requirement: Requirement | undefined, others: readonly ConstDirectiveNode[] = []) {
  if (requirement === undefined) return others;
  const directive: ConstDirectiveNode = {
    kind: Kind.DIRECTIVE,
    name: { kind: Kind.NAME, value: 'requiresScopes' },
    arguments: [
      {
        kind: Kind.ARGUMENT,
        name: { kind: Kind.NAME, value: 'scopes' },
        value: parseConstValue(JSON.stringify(requirement)),
      },
    ],
  };
  return [...others, directive];
}
