/**
 * The schema as a key sees it: without the fields that it may not ask for, and without the types that nothing else leads to. For
 * introspection and for suggestions; operations are checked against the whole schema, so that an error can name the scope that is
 * missing. Made once for each set of scopes.
 */
import { filterSchema, pruneSchema } from '@graphql-tools/utils';
import {
  type GraphQLInputField,
  type GraphQLNamedType,
  type GraphQLObjectType,
  type GraphQLSchema,
  getNamedType,
  isInterfaceType,
  isObjectType,
  isUnionType,
  type OperationTypeNode,
} from 'graphql';
import { type ScopeSet, satisfies } from '../scopes/scope.js';
import { mayBeSeen, requirementOf, requirementOfInput } from './requirement.js';

const shapes = new WeakMap<GraphQLSchema, WeakMap<ScopeSet, GraphQLSchema>>();

export function shapedSchema(schema: GraphQLSchema, held: ScopeSet): GraphQLSchema {
  let ofSchema = shapes.get(schema);
  if (!ofSchema) {
    ofSchema = new WeakMap();
    shapes.set(schema, ofSchema);
  }
  let shape = ofSchema.get(held);
  if (!shape) {
    shape = make(schema, held);
    ofSchema.set(held, shape);
  }
  return shape;
}

function make(schema: GraphQLSchema, held: ScopeSet): GraphQLSchema {
  const reached = reachedTypes(schema, held);
  const isVisible = (type: GraphQLNamedType | null | undefined, name: string) => {
    const field = isObjectType(type) || isInterfaceType(type) ? type.getFields()[name] : undefined;
    return !type || !field || mayBeSeen(type, field, held);
  };
  const shown = filterSchema({
    schema,
    typeFilter: (name, type) => !(isObjectType(type) || isInterfaceType(type)) || reached.has(name),
    rootFieldFilter: (kind, name) => isVisible(schema.getRootType(kind.toLowerCase() as OperationTypeNode), name),
    inputObjectFieldFilter: (_typeName, _name, field) =>
      satisfies(held, requirementOfInput(field as GraphQLInputField)),
    fieldFilter: (typeName, name) => isVisible(schema.getType(typeName), name),
  });
  return pruneSchema(shown, { skipPruning: (type) => reached.has(type.name) });
}

/** Objects and interfaces that the fields which may be seen lead to. */
function reachedTypes(schema: GraphQLSchema, held: ScopeSet): Set<string> {
  const reached = new Set<string>();
  const open: GraphQLNamedType[] = [];
  const reach = (type: GraphQLNamedType | null | undefined) => {
    if (!type || reached.has(type.name) || type.name.startsWith('__')) return;
    reached.add(type.name);
    open.push(type);
  };
  const roots = [schema.getQueryType(), schema.getMutationType(), schema.getSubscriptionType()];
  for (const root of roots) if (root && hasVisible(root, held)) reach(root);
  for (let type = open.pop(); type; type = open.pop()) {
    if (isUnionType(type) || isInterfaceType(type)) {
      // What implements it is met there where the type itself may be read.
      for (const possible of schema.getPossibleTypes(type)) {
        if (satisfies(held, requirementOf(possible))) reach(possible);
      }
    }
    if (!isObjectType(type) && !isInterfaceType(type)) continue;
    for (const one of type.getInterfaces()) reach(one);
    for (const field of Object.values(type.getFields())) {
      if (mayBeSeen(type, field, held)) reach(getNamedType(field.type));
    }
  }
  return reached;
}

const hasVisible = (type: GraphQLObjectType, held: ScopeSet) =>
  Object.values(type.getFields()).some((field) => mayBeSeen(type, field, held));
