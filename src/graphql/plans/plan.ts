/**
 * Queries that are rows, relations and connections of our tables, answered without running a resolver a field: what is
 * selected is collected once for each place in the answer, its arguments become the same Prisma arguments that the
 * resolvers make, and each root field is one statement, with one more for each relation. Everything else runs as ever. The
 * scopes of all fields were compared before (src/graphql/plugins/scopesAndLimits.ts).
 */
import {
  type DocumentNode,
  type ExecutionResult,
  type FieldNode,
  type FragmentDefinitionNode,
  type GraphQLError,
  type GraphQLField,
  type GraphQLObjectType,
  type GraphQLSchema,
  getArgumentValues,
  getNamedType,
  getVariableValues,
  isLeafType,
  isObjectType,
  locatedError,
  type OperationDefinitionNode,
  OperationTypeNode,
  type SelectionSetNode,
} from 'graphql';
import { collectFields, collectSubfields } from 'graphql/execution/collectFields.js';
import { NotTranslated, type Rows } from '../../db/rows.js';
import type { Reach } from '../../db/tenant.js';
import { notFound } from '../../errors.js';
import { fragmentsOf } from '../../operations/fragments.js';
import { cursorColumns, cutPage, encodeCursor, planPage } from '../connections/keyset.js';
import type { Context } from '../context.js';
import type { Source } from './source.js';

type Row = readonly unknown[];
type Nodes = readonly FieldNode[];
/** Makes a part of the answer of a row. */
type Show = (row: Row) => unknown;

/** What is read of a model, together for all rows of one place in the answer. */
class Reading {
  readonly columns: string[] = [];
  readonly relations: Relation[] = [];
  /** By the id of the task; undefined: none were asked for. */
  tags: Map<unknown, string[]> | undefined;

  constructor(readonly model: string) {}

  /** Where the column is in each row. */
  place(column: string): number {
    const known = this.columns.indexOf(column);
    return known < 0 ? this.columns.push(column) - 1 : known;
  }
}

interface Relation {
  /** Of the column that refers to the other row. */
  readonly place: number;
  readonly reading: Reading;
  readonly rows: Map<unknown, Row>;
}

interface RootField {
  readonly key: string;
  readonly nodes: Nodes;
  readonly read: () => Promise<unknown>;
}

/** What has no plan. */
class NoPlan extends Error {}

export interface PlanArgs {
  readonly schema: GraphQLSchema;
  readonly document: DocumentNode;
  readonly definition: OperationDefinitionNode;
  readonly variables: Readonly<Record<string, unknown>>;
  readonly context: Context;
}

/** @returns undefined for what has no plan; nothing was read then */
export async function runPlan({
  schema,
  document,
  definition,
  variables,
  context,
}: PlanArgs): Promise<ExecutionResult | undefined> {
  const root = schema.getQueryType();
  if (!root || definition.operation !== OperationTypeNode.QUERY) return undefined;
  const coerced = getVariableValues(schema, definition.variableDefinitions ?? [], variables, { maxErrors: 50 });
  if (coerced.errors) return { errors: coerced.errors };
  let fields: RootField[];
  try {
    const planner = new Planner(schema, Object.fromEntries(fragmentsOf(document)), coerced.coerced, context);
    fields = planner.rootFields(root, definition.selectionSet);
  } catch (error) {
    if (error instanceof NoPlan || error instanceof NotTranslated) return undefined;
    throw error;
  }
  const errors: GraphQLError[] = [];
  const entries = await Promise.all(
    fields.map(async ({ key, nodes, read }): Promise<[string, unknown]> => {
      try {
        return [key, await read()];
      } catch (error) {
        errors.push(locatedError(error, nodes, [key]));
        return [key, null];
      }
    }),
  );
  const data = Object.fromEntries(entries);
  return errors.length > 0 ? { errors, data } : { data };
}

class Planner {
  readonly #rows: Rows;
  readonly #reach: Reach;

  constructor(
    private readonly schema: GraphQLSchema,
    private readonly fragments: Record<string, FragmentDefinitionNode>,
    private readonly variables: Record<string, unknown>,
    private readonly context: Context,
  ) {
    this.#rows = context.services.database.rows;
    this.#reach = context.reach;
  }

  /** @throws NoPlan, NotTranslated */
  rootFields(root: GraphQLObjectType, selections: SelectionSetNode): RootField[] {
    const selected = collectFields(this.schema, this.fragments, this.variables, root, selections);
    return entriesOf(selected).map(([key, nodes]) => ({ key, nodes, read: this.#rootField(root, nodes) }));
  }

  #rootField(root: GraphQLObjectType, nodes: Nodes): () => Promise<unknown> {
    const [node] = nodes;
    if (!node) throw new NoPlan();
    if (node.name.value === '__typename') return async () => root.name;
    const field = root.getFields()[node.name.value];
    const source = sourceOf(field);
    if (!field || (source?.kind !== 'row' && source?.kind !== 'list')) throw new NoPlan();
    // Scopes and shape first: what is wrong with the arguments is an error of the field, and no reason to run it otherwise.
    const made = source.kind === 'row' ? this.#row(field, source, nodes) : this.#list(field, source, nodes);
    try {
      return made(getArgumentValues(field, node, this.variables));
    } catch (error) {
      if (error instanceof NoPlan || error instanceof NotTranslated) throw error;
      return async () => {
        throw error;
      };
    }
  }

  #row(field: Field, source: Source & { kind: 'row' }, nodes: Nodes) {
    const reading = new Reading(source.model);
    const show = this.#object(objectType(field), nodes, reading);
    return (args: Record<string, unknown>) => {
      const id = String(args['id']);
      reading.place('id');
      const find = this.#rows.prepare(this.#reach, { model: source.model, columns: reading.columns, where: { id } });
      return async () => {
        const rows = await find();
        const [row] = rows;
        if (!row) throw notFound(source.name, id);
        await this.#load(reading, rows);
        return show(row);
      };
    };
  }

  #list(field: Field, { list }: Source & { kind: 'list' }, nodes: Nodes) {
    const type = objectType(field);
    const rowType = objectType(type.getFields()['nodes']);
    const reading = new Reading(rowType.name);
    const parts = this.#selected(type, nodes).map(([key, inner]) => ({
      key,
      show: this.#connectionPart(type, rowType, inner, reading),
    }));
    return (args: Record<string, unknown>) => {
      const asked = list(args, this.context);
      if (asked.model !== reading.model) throw new NoPlan();
      const plan = planPage(asked.args, asked.order);
      const cursor = Object.keys(cursorColumns(plan)).map((column) => [column, reading.place(column)] as const);
      const find = this.#rows.prepare(this.#reach, {
        model: asked.model,
        columns: reading.columns,
        where: { AND: [asked.where, ...plan.where] },
        orderBy: plan.orderBy,
        take: plan.take,
        skip: plan.skip,
      });
      const count = asked.count ?? this.#rows.prepareCount(this.#reach, asked.model, asked.where as Where);
      return async () => {
        const { page, hasNextPage, hasPreviousPage } = cutPage(plan, asked.args, await find());
        await this.#load(reading, page);
        const cursorOf = (row: Row) =>
          encodeCursor(Object.fromEntries(cursor.map(([column, place]) => [column, row[place]])), plan.order);
        const connection: Connection = { page, hasNextPage, hasPreviousPage, cursorOf, count };
        const answer: Record<string, unknown> = {};
        for (const { key, show } of parts) answer[key] = await show(connection);
        return answer;
      };
    };
  }

  #selected(type: GraphQLObjectType, nodes: Nodes): [string, Nodes][] {
    return entriesOf(collectSubfields(this.schema, this.fragments, this.variables, type, nodes));
  }

  /** A field of a connection. */
  #connectionPart(
    type: GraphQLObjectType,
    rowType: GraphQLObjectType,
    nodes: Nodes,
    reading: Reading,
  ): (connection: Connection) => unknown {
    const name = nodes[0]?.name.value ?? '';
    const below = (of: GraphQLObjectType) =>
      this.#selected(of, nodes).map(([key, inner]) => [key, inner[0]?.name.value ?? '', inner] as const);
    switch (name) {
      case '__typename':
        return () => type.name;
      case 'totalCount':
        return ({ count }) => count();
      case 'nodes': {
        const show = this.#object(rowType, nodes, reading);
        return ({ page }) => page.map(show);
      }
      case 'edges': {
        const edgeType = objectType(type.getFields()['edges']);
        const parts = below(edgeType).map(([key, part, inner]) => {
          const show = part === 'node' ? this.#object(rowType, inner, reading) : undefined;
          return { key, part, show };
        });
        return ({ page, cursorOf }) =>
          page.map((row) => {
            const edge: Record<string, unknown> = {};
            for (const { key, part, show } of parts) {
              edge[key] = show ? show(row) : part === 'cursor' ? cursorOf(row) : edgeType.name;
            }
            return edge;
          });
      }
      case 'pageInfo': {
        const infoType = objectType(type.getFields()['pageInfo']);
        const parts = below(infoType);
        return ({ page, cursorOf, hasNextPage, hasPreviousPage }) => {
          const cursorAt = (row: Row | undefined) => (row ? cursorOf(row) : null);
          const values: Readonly<Record<string, () => unknown>> = {
            hasNextPage: () => hasNextPage,
            hasPreviousPage: () => hasPreviousPage,
            startCursor: () => cursorAt(page[0]),
            endCursor: () => cursorAt(page.at(-1)),
            __typename: () => infoType.name,
          };
          return Object.fromEntries(parts.map(([key, part]) => [key, values[part]?.()]));
        };
      }
      default:
        throw new NoPlan();
    }
  }

  /** What is selected of a row. */
  #object(type: GraphQLObjectType, nodes: Nodes, reading: Reading): Show {
    const fields = this.#selected(type, nodes).map(([key, inner]) => ({
      key,
      show: this.#field(type, inner, reading),
    }));
    return (row) => {
      const answer: Record<string, unknown> = {};
      for (const { key, show } of fields) answer[key] = show(row);
      return answer;
    };
  }

  #field(type: GraphQLObjectType, nodes: Nodes, reading: Reading): Show {
    const name = nodes[0]?.name.value ?? '';
    if (name === '__typename') return () => type.name;
    const field = type.getFields()[name];
    const source: Source | undefined = name === 'id' ? { kind: 'column', column: 'id' } : sourceOf(field);
    if (!field || field.args.length > 0) throw new NoPlan();
    switch (source?.kind) {
      case 'column': {
        const place = reading.place(source.column);
        const leaf = getNamedType(field.type);
        if (!isLeafType(leaf)) throw new NoPlan();
        return (row) => (row[place] === null ? null : leaf.serialize(row[place]));
      }
      case 'relation': {
        const relation: Relation = {
          place: reading.place(source.column),
          reading: new Reading(source.model),
          rows: new Map(),
        };
        const show = this.#object(objectType(field), nodes, relation.reading);
        relation.reading.place('id');
        reading.relations.push(relation);
        return (row) => {
          const other = relation.rows.get(row[relation.place]);
          return other ? show(other) : null;
        };
      }
      case 'tags': {
        const place = reading.place('id');
        reading.tags ??= new Map();
        const { tags } = reading;
        return (row) => tags.get(row[place]) ?? [];
      }
      default:
        throw new NoPlan();
    }
  }

  /** Reads what the rows refer to: one statement for each relation. */
  async #load({ columns, relations, tags }: Reading, rows: readonly Row[]): Promise<void> {
    const loading = relations.map(async ({ place, reading, rows: others }) => {
      const ids = [...new Set(rows.map((row) => row[place]))].filter((id) => id !== null);
      if (ids.length === 0) return;
      const { model, columns: selected } = reading;
      const found = await this.#rows.prepare(this.#reach, { model, columns: selected, where: { id: { in: ids } } })();
      const at = selected.indexOf('id');
      for (const row of found) others.set(row[at], row);
      await this.#load(reading, found);
    });
    if (tags && rows.length > 0) loading.push(this.#loadTags(tags, rows, columns.indexOf('id')));
    await Promise.all(loading);
  }

  async #loadTags(tags: Map<unknown, string[]>, rows: readonly Row[], place: number): Promise<void> {
    const where = { taskId: { in: rows.map((row) => row[place]) } };
    const columns = ['taskId', 'name'];
    const find = this.#rows.prepare(this.#reach, { model: 'TaskTag', columns, where, orderBy: [{ name: 'asc' }] });
    for (const [taskId, name] of await find()) {
      const names = tags.get(taskId);
      if (names) names.push(name as string);
      else tags.set(taskId, [name as string]);
    }
  }
}

/** A page of rows, of which a connection shows parts. */
interface Connection {
  readonly page: readonly Row[];
  readonly hasNextPage: boolean;
  readonly hasPreviousPage: boolean;
  readonly cursorOf: (row: Row) => string;
  readonly count: () => PromiseLike<number>;
}

type Field = GraphQLField<unknown, unknown>;
type Where = Readonly<Record<string, unknown>>;

/** @throws NoPlan for a name that is no property like others */
function entriesOf(selected: ReadonlyMap<string, Nodes>): [string, Nodes][] {
  if (selected.has('__proto__')) throw new NoPlan();
  return [...selected];
}

function sourceOf(field: Field | undefined): Source | undefined {
  return (field?.extensions as { source?: Source } | undefined)?.source;
}

/** The type of the object, or of the objects, that a field answers. */
function objectType(field: Field | undefined): GraphQLObjectType {
  const type = field && getNamedType(field.type);
  if (!isObjectType(type)) throw new NoPlan();
  return type;
}
