/** Which tools a key may call, and what a call of one comes to: the stored operation, run as every operation is. */
import { type CallToolResult, ProtocolError, ProtocolErrorCode } from '@modelcontextprotocol/server';
import { ApiError } from '../errors.js';
import { apiErrorOf } from '../graphql/apiErrors.js';
import type { Context } from '../graphql/context.js';
import { mayRun } from '../graphql/operationGate.js';
import type { GraphQL } from '../graphql/yoga.js';
import { readValues } from '../input.js';
import type { Tool } from './tool.js';
import { tools, toolsByName } from './tools.js';

/** Characters of a result, which its reader takes in as a whole. */
const MAX_RESULT = 200_000;

/** Those whose operations the key runs. */
export function toolsFor(context: Context): Tool[] {
  return tools.filter(({ operation }) => mayRun(operation, context));
}

/**
 * @returns the data, or why there is none: an error of the tool, which its caller may do something about
 * @throws ProtocolError where there is no such tool
 */
export async function callTool(
  name: string,
  given: Readonly<Record<string, unknown>>,
  graphql: GraphQL,
  context: Context,
): Promise<CallToolResult> {
  const tool = toolsByName.get(name);
  if (!tool) throw new ProtocolError(ProtocolErrorCode.InvalidParams, `There is no tool ${JSON.stringify(name)}.`);
  try {
    return await run(tool, given, graphql, context);
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    const { code, message, details } = error;
    context.use.errors.add(code);
    return { ...contentOf(JSON.stringify({ error: { code, message, ...details } })), isError: true };
  }
}

/** @throws ApiError */
async function run(
  tool: Tool,
  given: Readonly<Record<string, unknown>>,
  graphql: GraphQL,
  context: Context,
): Promise<CallToolResult> {
  const variables = tool.variables(readValues(tool.arguments, given, 'arguments'));
  const { data, errors } = await graphql.run(tool.operation, variables, context);
  if (errors && errors.length > 0) throw apiErrorOf(errors, { method: 'post' });
  const structuredContent = tool.result(data);
  const text = JSON.stringify(structuredContent);
  if (text.length > MAX_RESULT) {
    throw new ApiError('COST_LIMIT_EXCEEDED', 'The result is too large. Ask for fewer rows.', {
      ...{ what: 'characters', limit: MAX_RESULT, actual: text.length },
    });
  }
  return { ...contentOf(text), structuredContent };
}

const contentOf = (text: string): CallToolResult => ({ content: [{ type: 'text', text }] });
