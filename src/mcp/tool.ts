/**
 * A tool is a row, as a route is (src/rest/route.ts): a name, a stored GraphQL operation, how its variables come from the
 * arguments, and what of the data is the result. Who may call it, and how often, the operation's fields say.
 */
import type { Tool as ListedTool } from '@modelcontextprotocol/server';
import { OperationTypeNode } from 'graphql';
import { z } from 'zod';
import { type StoredOperation, storeOperation } from '../graphql/storedOperation.js';

export interface Tool<Arguments = unknown, Data = unknown> {
  readonly name: string;
  readonly operation: StoredOperation;
  /** Unknown arguments are refused. */
  readonly arguments: z.ZodType<Arguments>;
  readonly variables: (given: Arguments) => Record<string, unknown>;
  readonly result: (data: Data) => Record<string, unknown>;
  /** As tools/list shows it. */
  readonly listed: ListedTool;
}

type Row<Arguments, Data> = Pick<Tool<Arguments, Data>, 'name' | 'arguments' | 'result'> & {
  readonly title: string;
  readonly description: string;
  /** The text of the operation. */
  readonly operation: string;
  /** By default the arguments. */
  readonly variables?: Tool<Arguments, Data>['variables'];
  /** Whether a mutation only adds; otherwise it overwrites or deletes, and carrying it out again changes nothing more. */
  readonly adds?: true;
};

export function tool<Arguments, Data>(row: Row<Arguments, Data>): Tool {
  const { name, title, description, adds } = row;
  const operation = storeOperation(row.operation);
  const reads = operation.type === OperationTypeNode.QUERY;
  const { $schema: _, ...inputSchema } = z.toJSONSchema(row.arguments, { io: 'input' });
  const made: Tool<Arguments, Data> = {
    name,
    operation,
    arguments: row.arguments,
    variables: row.variables ?? ((given) => ({ ...(given as Record<string, unknown>) })),
    result: row.result,
    listed: {
      ...{ name, title, description },
      inputSchema: inputSchema as ListedTool['inputSchema'],
      annotations: {
        title,
        readOnlyHint: reads,
        ...(!reads && { destructiveHint: !adds, idempotentHint: !adds }),
        // It is about the rows of this server alone.
        openWorldHint: false,
      },
    },
  };
  return made as unknown as Tool;
}
