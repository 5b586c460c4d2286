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
import type { RowVersion } from '../../db/rowVersions.js';
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

/** What the operation reads with some values of its conditions. */
interface Form extends Pick<CompiledFields, 'fields'> {
  /** Whether what it answers depends on the rows alone, and on nothing else than those that are counted as changed. */
  readonly isStable: boolean;
}

interface RunForm {
  readonly answer: PlanAnswer;
  readonly isStable: boolean;
}

/** Forms of one operation, by the variables that its conditions name. */
const MAX_FORMS = 8;

interface Plans {
  /** The variables that @skip and @include name. */
  readonly conditions: readonly string[];
  /** By their values; undefined for what has none. */
  readonly forms: Map<string, Form | undefined>;
  /** Whether any form of it has been stable: only then is it asked what is remembered. */
  hasStable: boolean;
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
  const name =
    plans.hasStable && rememberedAnswers.isOn
      ? rememberedAnswers.nameFor(executable, variables, context.reach)
      : undefined;
  // Read before the rows: what is remembered may be newer than its version says, and never older.
  let version: RowVersion | undefined;
  if (name !== undefined && (!database.rows.hasDistantVersions || rememberedAnswers.wasAsked(name))) {
    version = await database.rows.version(context.reach);
  }
  if (version !== undefined && name !== undefined) {
    const known = rememberedAnswers.get(name, version);
    metrics.remembered(known !== undefined);
    if (known) {
      for (const id of known.projects) context.use.projects.add(id);
      return { data: known.data, errors: [], isAnswered: known.isAnswered };
    }
  }
  const ran = await execute(schema, executable, plans, variables, context);
  if (!ran) return undefined;
  const { answer, isStable } = ran;
  const { data, errors, isAnswered } = answer;
  const isWhole = data !== undefined && errors.length === 0;
  if (isWhole && isStable && context.use.isRememberable && version !== undefined && name !== undefined) {
    rememberedAnswers.set(name, { version, data, isAnswered, projects: [...context.use.projects] });
  }
  return answer;
}

async function execute(
  schema: GraphQLSchema,
  executable: Executable,
  plans: Plans,
  variables: Variables,
  context: Context,
): Promise<RunForm | undefined> {
  const { definition } = executable;
  let values: Variables = {};
  if (definition.variableDefinitions && definition.variableDefinitions.length > 0) {
    const coerced = getVariableValues(schema, definition.variableDefinitions, variables, { maxErrors: 50 });
    if (coerced.errors) {
      return { answer: { data: undefined, errors: coerced.errors, isAnswered: false }, isStable: false };
    }
    values = coerced.coerced;
  }
  const form = formOf(schema, executable, plans, values);
  if (!form) return undefined;
  const { fields, isStable } = form;
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
  return { answer: { data: `{${written.join(',')}}`, errors, isAnswered }, isStable };
}

function formOf(schema: GraphQLSchema, executable: Executable, plans: Plans, values: Variables): Form | undefined {
  const { conditions, forms } = plans;
  const name = conditions.map((condition) => String(values[condition])).join();
  if (forms.has(name)) return forms.get(name);
  let form: Form | undefined;
  try {
    const { fields, models } = compileRootFields(schema, executable, values);
    form = { fields, isStable: [...models].every((model) => COUNTED.has(model)) };
  } catch (error) {
    if (!(error instanceof NoPlan)) throw error;
  }
  if (forms.size >= MAX_FORMS) forms.clear();
  forms.set(name, form);
  plans.hasStable ||= form?.isStable === true;
  return form;
}

function plansOf({ document, derived }: Executable): Plans {
  let plans = derived.get('plans') as Plans | undefined;
  if (!plans) {
    plans = { conditions: conditionsOf(document), forms: new Map(), hasStable: false };
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
