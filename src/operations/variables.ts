import { type OperationDefinitionNode, valueFromASTUntyped } from 'graphql';

/** Of an operation, by their names, as they came: not coerced yet. */
export type Variables = Readonly<Record<string, unknown>>;

/** The defaults of an operation's variables. */
export function defaultsOf({ variableDefinitions = [] }: OperationDefinitionNode): Record<string, unknown> {
  return Object.fromEntries(
    variableDefinitions.flatMap(({ variable, defaultValue }) =>
      defaultValue ? [[variable.name.value, valueFromASTUntyped(defaultValue)]] : [],
    ),
  );
}
