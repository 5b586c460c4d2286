/** The plans of operations: which one runs, and what it answers. */
import {
  type GraphQLError,
  type GraphQLSchema,
  getVariableValues,
  Kind,
  locatedError,
  OperationTypeNode,
  visit,
} from 'graphql';
import { NotTranslated } from '../../db/statement.js';
import type { Executable } from '../../operations/document.js';
import type { Variables } from '../../operations/variables.js';
import type { Context } from '../context.js';
import { type CompiledFields, compileRootFields } from './compile.js';
import { COUNTED, NoPlan } from './reading.js';

/** As an execution result is, with the data as JSON text. */
export interface PlanAnswer {
  /** Undefined: the variables are wrong. */
  readonly data: string | undefined;
  readonly errors: readonly GraphQLError[];
  /** Whether any root field has a value. */
  readonly isAnswered: boolean;
}

/** Forms of one operation, by the variables that its conditions name. */
const MAX_FORMS = 8;

interface Plans {
  /** The variables that @skip and @include name. */
  readonly conditions: readonly string[];
  /** By their values; undefined for what has none. */
  readonly forms: Map<string, CompiledFields | undefined>;
  /** Whether what it answers depends on the rows alone, and on nothing else than those that are counted as changed. */
  isStable: boolean;
}

/** Whether an operation has a plan, as far as that is known without its variables. */
export function isCompiled(schema: GraphQLSchema, executable: Executable): boolean {
  if (executable.definition.operation === OperationTypeNode.SUBSCRIPTION) return false;
  const plans = plansOf(executable);
  return (
    formOf(schema, executable, plans, Object.fromEntries(plans.conditions.map((name) => [name, true]))) !== undefined
  );
}

/** @returns undefined for what has no plan; nothing was read then */
export async function runPlan(
  schema: GraphQLSchema,
  executable: Executable,
  variables: Variables,
  context: Context,
): Promise<PlanAnswer | undefined> {
  if (executable.definition.operation === OperationTypeNode.SUBSCRIPTION) return undefined;
  const { introspection } = context.services;
  const told = introspection.answer(executable, variables, context.principal.scopes);
  if (told !== undefined) return { data: told, errors: [], isAnswered: true };
  const plans = plansOf(executable);
  const { rememberedAnswers, database, metrics } = context.services;
  // Read before the rows: what is remembered may be newer than its version says, and never older.
  const version = plans.isStable && rememberedAnswers.isOn ? database.rows.version(context.reach) : undefined;
  const name = version === undefined ? undefined : rememberedAnswers.nameFor(executable, variables, context.reach);
  if (version !== undefined && name !== undefined) {
    const known = rememberedAnswers.get(name, version);
    metrics.remembered(known !== undefined);
    if (known) {
      for (const id of known.projects) context.use.projects.add(id);
      return { data: known.data, errors: [], isAnswered: known.isAnswered };
    }
  }
  const answer = await execute(schema, executable, plans, variables, context);
  const isWhole = answer?.data !== undefined && answer.errors.length === 0;
  if (isWhole && context.use.isRememberable && version !== undefined && name !== undefined) {
    const projects = [...context.use.projects];
    rememberedAnswers.set(name, { version, data: answer.data, isAnswered: answer.isAnswered, projects });
  }
  return answer;
}

async function execute(
  schema: GraphQLSchema,
  executable: Executable,
  plans: Plans,
  variables: Variables,
  context: Context,
): Promise<PlanAnswer | undefined> {
  const { definition } = executable;
  let values: Variables = {};
  if (definition.variableDefinitions && definition.variableDefinitions.length > 0) {
    const coerced = getVariableValues(schema, definition.variableDefinitions, variables, { maxErrors: 50 });
    if (coerced.errors) return { data: undefined, errors: coerced.errors, isAnswered: false };
    values = coerced.coerced;
  }
  const compiled = formOf(schema, executable, plans, values);
  if (!compiled) return undefined;
  const { fields } = compiled;
  const errors: GraphQLError[] = [];
  const reads: (() => Promise<string>)[] = [];
  for (const field of fields) {
    try {
      reads.push(field.bind(values, context));
    } catch (error) {
      if (error instanceof NoPlan || error instanceof NotTranslated) return undefined;
      // What is wrong with the arguments is an error of the field.
      reads.push(async () => {
        throw error;
      });
    }
  }
  let isAnswered = false;
  const written = await Promise.all(
    fields.map(async ({ key, nodes }, index) => {
      try {
        const value = await reads[index]?.();
        isAnswered ||= value !== 'null';
        return `${JSON.stringify(key)}:${value}`;
      } catch (error) {
        errors.push(locatedError(error, nodes, [key]));
        return `${JSON.stringify(key)}:null`;
      }
    }),
  );
  return { data: `{${written.join(',')}}`, errors, isAnswered };
}

function formOf(
  schema: GraphQLSchema,
  executable: Executable,
  plans: Plans,
  values: Variables,
): CompiledFields | undefined {
  const { conditions, forms } = plans;
  const form = conditions.map((name) => String(values[name])).join();
  if (forms.has(form)) return forms.get(form);
  let compiled: CompiledFields | undefined;
  try {
    compiled = compileRootFields(schema, executable, values);
  } catch (error) {
    if (!(error instanceof NoPlan)) throw error;
  }
  if (forms.size >= MAX_FORMS) forms.clear();
  forms.set(form, compiled);
  plans.isStable = [...forms.values()].every((one) => one && [...one.models].every((model) => COUNTED.has(model)));
  return compiled;
}

function plansOf({ document, derived }: Executable): Plans {
  let plans = derived.get('plans') as Plans | undefined;
  if (!plans) {
    plans = { conditions: conditionsOf(document), forms: new Map(), isStable: false };
    derived.set('plans', plans);
  }
  return plans;
}

function conditionsOf(document: Executable['document']): string[] {
  const names = new Set<string>();
  visit(document, {
    Directive({ arguments: given = [] }) {
      for (const { value } of given) if (value.kind === Kind.VARIABLE) names.add(value.name.value);
    },
  });
  return [...names];
}
