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
import { NotTranslated } from '../../db/rows.js';
import type { Executable } from '../../operations/document.js';
import type { Variables } from '../../operations/variables.js';
import type { Context } from '../context.js';
import { compileRootFields, NoPlan, type RootField } from './compile.js';

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
  readonly forms: Map<string, readonly RootField[] | undefined>;
}

/** Whether an operation has a plan, as far as that is known without its variables. */
export function isCompiled(schema: GraphQLSchema, executable: Executable): boolean {
  if (executable.definition.operation !== OperationTypeNode.QUERY) return false;
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
  const { definition } = executable;
  if (definition.operation !== OperationTypeNode.QUERY) return undefined;
  let values: Variables = {};
  if (definition.variableDefinitions && definition.variableDefinitions.length > 0) {
    const coerced = getVariableValues(schema, definition.variableDefinitions, variables, { maxErrors: 50 });
    if (coerced.errors) return { data: undefined, errors: coerced.errors, isAnswered: false };
    values = coerced.coerced;
  }
  const fields = formOf(schema, executable, plansOf(executable), values);
  if (!fields) return undefined;
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
  { conditions, forms }: Plans,
  values: Variables,
): readonly RootField[] | undefined {
  const form = conditions.map((name) => String(values[name])).join();
  if (forms.has(form)) return forms.get(form);
  let fields: RootField[] | undefined;
  try {
    fields = compileRootFields(schema, executable, values);
  } catch (error) {
    if (!(error instanceof NoPlan)) throw error;
  }
  if (forms.size >= MAX_FORMS) forms.clear();
  forms.set(form, fields);
  return fields;
}

function plansOf({ document, derived }: Executable): Plans {
  let plans = derived.get('plans') as Plans | undefined;
  if (!plans) {
    plans = { conditions: conditionsOf(document), forms: new Map() };
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
