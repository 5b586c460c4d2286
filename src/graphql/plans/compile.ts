/**
 * Queries that are rows, relations and connections of our tables, and changes that answer a row, answered without running a
 * resolver a field. Compiled once for each operation: what is selected is collected for each place in the answer, with how it is written as JSON. Each time
 * it runs, the arguments become the same Prisma arguments that the resolvers make; each root field is one statement, with one
 * more for tags and for each list within its rows. Everything else runs as ever. The scopes of all fields were
 * compared before (src/graphql/operationGate.ts).
 */
import {
  type FieldNode,
  type FragmentDefinitionNode,
  type GraphQLField,
  type GraphQLObjectType,
  type GraphQLSchema,
  getArgumentValues,
  getNamedType,
  isLeafType,
  isObjectType,
  OperationTypeNode,
} from 'graphql';
import { collectFields, collectSubfields } from 'graphql/execution/collectFields.js';
import { readingFor } from '../../db/reader.js';
import { NotTranslated, type Table } from '../../db/statement.js';
import { notFound } from '../../errors.js';
import type { Executable } from '../../operations/document.js';
import { fragmentsOf } from '../../operations/fragments.js';
import { unmaskedKey } from '../../operations/mask.js';
import type { Variables } from '../../operations/variables.js';
import { identifierOf } from '../../tasks/identifier.js';
import type { Context } from '../context.js';
import { leafWriter, listOf, objectWriter, text } from './json.js';
import { KeptLists } from './keptLists.js';
import {
  type Connection,
  type ConnectionShape,
  type InnerList,
  type LoadedRows,
  loader,
  NoPlan,
  pageQuery,
  type Row,
  Selection,
} from './reading.js';
import { ROW_ABOVE, type Source } from './source.js';

type Nodes = readonly FieldNode[];
/** Writes a part of the answer of a row, which is one of those. */
type Write = (row: Row, rows: LoadedRows) => string;
type Read = () => Promise<string>;

/** A root field, compiled. */
interface RootField {
  readonly key: string;
  readonly nodes: Nodes;
  /**
   * Makes the statements; nothing is read yet.
   * @throws NoPlan, NotTranslated; ApiError and GraphQLError for arguments, as the resolver does
   */
  bind(variables: Variables, context: Context): Read;
}

/** The root fields of an operation, and of which models they read rows, on whichever level; the root type, of a change. */
export interface CompiledFields {
  readonly fields: readonly RootField[];
  readonly models: ReadonlySet<string>;
}

/**
 * @param variables those that conditions name; the others may be missing
 * @throws NoPlan
 */
export function compileRootFields(
  schema: GraphQLSchema,
  { document, definition }: Executable,
  variables: Variables,
): CompiledFields {
  const isChange = definition.operation === OperationTypeNode.MUTATION;
  const root = isChange ? schema.getMutationType() : schema.getQueryType();
  if (!root) throw new NoPlan();
  const fragments = Object.fromEntries(fragmentsOf(document));
  const compiler = new Compiler(schema, fragments, variables);
  const selected = collectFields(schema, fragments, variables, root, definition.selectionSet);
  // Several changes run one after another.
  if (isChange && selected.size > 1) throw new NoPlan();
  const fields = entriesOf(selected).map(([key, nodes]) => ({ nodes, ...compiler.rootField(root, key, nodes) }));
  return { fields, models: compiler.models };
}

/** What is shown of a change: its row, by the id that the change answers. */
interface ChangedPart {
  readonly key: string;
  bind(variables: Variables, context: Context): (id: string) => Read;
}

const NOT_COUNTED: ReadonlyMap<string, number> = new Map();

class Compiler {
  readonly models = new Set<string>();

  constructor(
    private readonly schema: GraphQLSchema,
    private readonly fragments: Record<string, FragmentDefinitionNode>,
    private readonly variables: Variables,
  ) {}

  rootField(root: GraphQLObjectType, answerKey: string, nodes: Nodes): Omit<RootField, 'nodes'> {
    const [node] = nodes;
    if (!node) throw new NoPlan();
    const { key, isMasked } = unmaskedKey(answerKey);
    if (node.name.value === '__typename') {
      const written = isMasked ? 'null' : text(root.name);
      return { key, bind: () => async () => written };
    }
    const field = root.getFields()[node.name.value];
    const source = sourceOf(field);
    if (!field || !source) throw new NoPlan();
    if (source.kind === 'row') return { key, bind: this.#row(field, source, nodes) };
    if (source.kind === 'change') {
      this.models.add(root.name);
      return { key, bind: this.#change(field, source, nodes) };
    }
    if (source.kind !== 'list') throw new NoPlan();
    const shape = this.#connection(field, nodes);
    return { key, bind: this.#list(field, source, nodes, shape) };
  }

  #selection(model: string): Selection {
    this.models.add(model);
    return new Selection(model);
  }

  #row(field: Field, source: Source & { kind: 'row' }, nodes: Nodes): RootField['bind'] {
    const bind = this.#rowBy(objectType(field), source.model, source.name, nodes);
    const argumentsOf = this.#arguments(field, nodes);
    return (variables, context) => {
      const { where, id } = source.find(argumentsOf(variables));
      return bind(variables, context)(id, where);
    };
  }

  /** A row by its id, or by another condition. @param name of such a row, in errors */
  #rowBy(type: GraphQLObjectType, model: string, name: string, nodes: Nodes) {
    const selection = this.#selection(model);
    const write = this.#object(type, nodes, selection, selection.table);
    selection.place(selection.table, 'id');
    return (variables: Variables, context: Context) => {
      const load = loader(selection, variables, context);
      const { reach, reader, services } = context;
      const { rows } = services.database;
      return (id: string, where?: Where): Read => {
        const find = where ? rows.prepare(reach, { selection, where }) : undefined;
        const findById = rows.prepareRow(reach, selection);
        return async () => {
          const found = await (find ? find(reader) : findById(id, reader));
          const [row] = found;
          if (!row) throw notFound(name, id);
          return write(row, await load(found));
        };
      };
    };
  }

  #change(field: Field, { run }: Source & { kind: 'change' }, nodes: Nodes): RootField['bind'] {
    const payload = objectType(field);
    const typeName = async () => text(payload.name);
    const parts = this.#selected(payload, nodes).map(([key, inner]): ChangedPart => {
      if (inner[0]?.name.value === '__typename') return { key, bind: () => () => typeName };
      const shown = payload.getFields()[inner[0]?.name.value ?? ''];
      const source = sourceOf(shown);
      if (source?.kind !== 'changedRow') throw new NoPlan();
      const { model } = source;
      return { key, bind: this.#rowBy(objectType(shown), model, model.toLowerCase(), inner) };
    });
    const argumentsOf = this.#arguments(field, nodes);
    return (variables, context) => {
      const args = argumentsOf(variables);
      const reads = parts.map(({ key, bind }) => ({ key, read: bind(variables, context) }));
      // What cannot be read is known before anything is changed.
      for (const { read } of reads) read('');
      return async () => {
        const { id } = await readingFor(context.reader, () => run(args, context));
        const shown = await Promise.all(
          reads.map(async ({ key, read }) => `${JSON.stringify(key)}:${await read(id)()}`),
        );
        return `{${shown.join(',')}}`;
      };
    };
  }

  #list(field: Field, { list }: Source & { kind: 'list' }, nodes: Nodes, shape: ConnectionShape): RootField['bind'] {
    const write = objectWriter(shape.parts);
    const argumentsOf = this.#arguments(field, nodes);
    const lists = new KeptLists(shape, list);
    return (variables, context) => {
      const { cut, read } = lists.of(argumentsOf(variables), context);
      const load = loader(shape.selection, variables, context);
      return async () => {
        const [found, counted] = await read(context.reader);
        const page = cut(found);
        return write({ ...page, rows: await load(page.page), count: counted });
      };
    };
  }

  /** A list within rows, which is read for all of them together. */
  #innerList(field: Field, { list }: Source & { kind: 'innerList' }, nodes: Nodes): InnerList['bind'] {
    const shape = this.#connection(field, nodes);
    const write = objectWriter(shape.parts);
    const argumentsOf = this.#arguments(field, nodes);
    return (variables, context) => {
      const asked = orNoPlan(() => list(argumentsOf(variables), context));
      // A kept one is of all rows.
      if (shape.hasCount && asked.count) throw new NoPlan();
      const { query, cut } = orNoPlan(() => pageQuery(shape, asked));
      const { reach, reader, services } = context;
      const { rows: table } = services.database;
      const find = table.prepareEach(reach, query, ROW_ABOVE);
      const count = shape.hasCount
        ? table.prepareCountEach(reach, asked.model, asked.where as Where, ROW_ABOVE)
        : async () => NOT_COUNTED;
      const load = loader(shape.selection, variables, context);
      return async (ids) => {
        if (ids.length === 0) return new Map();
        const [found, counts] = await Promise.all([find(ids as string[], reader), count(ids as string[], reader)]);
        const pages = ids.map((id) => ({ id, page: cut(found.get(id as string) ?? []) }));
        const rows = await load(pages.flatMap(({ page }) => page.page));
        return new Map(
          pages.map(({ id, page }) => [id, write({ ...page, rows, count: counts.get(id as string) ?? 0 })]),
        );
      };
    };
  }

  #connection(field: Field, nodes: Nodes): ConnectionShape {
    const type = objectType(field);
    const rowType = objectType(type.getFields()['nodes']);
    const selection = this.#selection(rowType.name);
    const used = new Set<string>();
    const parts = this.#selected(type, nodes).map(
      ([key, inner]) => [key, this.#connectionPart(type, rowType, inner, selection, used)] as const,
    );
    // A statement selects something.
    selection.place(selection.table, 'id');
    return { rowType, selection, parts, hasCursors: used.has('cursor'), hasCount: used.has('count') };
  }

  /** The arguments of a field, as its resolver gets them. */
  #arguments(field: Field, nodes: Nodes): (variables: Variables) => Record<string, unknown> {
    const [node] = nodes;
    if (!node) throw new NoPlan();
    return (variables) => getArgumentValues(field, node, variables);
  }

  #selected(type: GraphQLObjectType, nodes: Nodes): [string, Nodes][] {
    return entriesOf(collectSubfields(this.schema, this.fragments, this.variables, type, nodes));
  }

  /** A field of a connection. @param used is told what the field needs */
  #connectionPart(
    type: GraphQLObjectType,
    rowType: GraphQLObjectType,
    nodes: Nodes,
    selection: Selection,
    used: Set<string>,
  ): (connection: Connection) => string {
    const name = nodes[0]?.name.value ?? '';
    const below = (of: GraphQLObjectType) =>
      this.#selected(of, nodes).map(([key, inner]) => [key, inner[0]?.name.value ?? '', inner] as const);
    switch (name) {
      case '__typename':
        return constant(text(type.name));
      case 'totalCount':
        used.add('count');
        return ({ count }) => String(count);
      case 'nodes': {
        const write = this.#object(rowType, nodes, selection, selection.table);
        return ({ page, rows }) => listOf(page.map((row) => write(row, rows)));
      }
      case 'edges': {
        const edgeType = objectType(type.getFields()['edges']);
        const parts = below(edgeType).map(([key, part, inner]): [string, (row: Row, of: Connection) => string] => {
          if (part === '__typename') return [key, constant(text(edgeType.name))];
          if (part === 'cursor') {
            used.add('cursor');
            return [key, (row, { cursorOf }) => text(cursorOf(row))];
          }
          const write = this.#object(rowType, inner, selection, selection.table);
          return [key, (row, { rows }) => write(row, rows)];
        });
        const write = objectWriter(parts);
        return (connection) => listOf(connection.page.map((row) => write(row, connection)));
      }
      case 'pageInfo': {
        const infoType = objectType(type.getFields()['pageInfo']);
        const cursorAt = ({ page, cursorOf }: Connection, index: number) => {
          const row = page.at(index);
          return row ? text(cursorOf(row)) : 'null';
        };
        const writes: Readonly<Record<string, (connection: Connection) => string>> = {
          hasNextPage: ({ hasNextPage }) => String(hasNextPage),
          hasPreviousPage: ({ hasPreviousPage }) => String(hasPreviousPage),
          startCursor: (connection) => cursorAt(connection, 0),
          endCursor: (connection) => cursorAt(connection, -1),
          __typename: constant(text(infoType.name)),
        };
        const parts = below(infoType).map(([key, part]) => {
          const write = writes[part];
          if (!write) throw new NoPlan();
          if (part.endsWith('Cursor')) used.add('cursor');
          return [key, write] as const;
        });
        return objectWriter(parts);
      }
      default:
        throw new NoPlan();
    }
  }

  /** What is selected of a row, which may be one that is joined. */
  #object(type: GraphQLObjectType, nodes: Nodes, selection: Selection, table: Table): Write {
    return objectWriter(
      this.#selected(type, nodes).map(([answerKey, inner]): [string, Write] => {
        const { key, isMasked } = unmaskedKey(answerKey);
        return [key, isMasked ? constant('null') : this.#field(type, inner, selection, table)];
      }),
    );
  }

  #field(type: GraphQLObjectType, nodes: Nodes, selection: Selection, table: Table): Write {
    const name = nodes[0]?.name.value ?? '';
    if (name === '__typename') return constant(text(type.name));
    const field = type.getFields()[name];
    const source: Source | undefined = name === 'id' ? { kind: 'column', column: 'id' } : sourceOf(field);
    if (!field || (field.args.length > 0 && source?.kind !== 'innerList')) throw new NoPlan();
    switch (source?.kind) {
      case 'column': {
        const place = selection.place(table, source.column);
        const leaf = getNamedType(field.type);
        if (!isLeafType(leaf)) throw new NoPlan();
        const write = leafWriter(leaf);
        return (row) => (row[place] === null ? 'null' : write(row[place]));
      }
      case 'relation': {
        this.models.add(source.model);
        const joined = selection.join(table, source.column, source.model);
        const place = selection.place(joined, 'id');
        const write = this.#object(objectType(field), nodes, selection, joined);
        return (row, rows) => (row[place] === null ? 'null' : write(row, rows));
      }
      case 'tags': {
        const place = selection.place(table, 'id');
        selection.tagsOf.add(place);
        return (row, { tags }) => listOf((tags.get(row[place]) ?? []).map(text));
      }
      case 'trackedSeconds': {
        this.models.add('TimeEntry');
        const place = selection.place(table, 'id');
        selection.secondsOf.add(place);
        return (row, { seconds }) => String(seconds.get(row[place]) ?? 0);
      }
      case 'identifier': {
        this.models.add('Project');
        const number = selection.place(table, 'number');
        const key = selection.place(selection.join(table, 'projectId', 'Project'), 'key');
        return (row) => text(identifierOf(row[key] as string | null, row[number] as number));
      }
      case 'innerList': {
        const place = selection.place(table, 'id');
        const index = selection.lists.push({ place, bind: this.#innerList(field, source, nodes) }) - 1;
        return (row, { lists }) => lists[index]?.get(row[place]) ?? 'null';
      }
      default:
        throw new NoPlan();
    }
  }
}

/** What is wrong with the arguments of a list within rows is an error of each row, which the reference reports. */
function orNoPlan<T>(make: () => T): T {
  try {
    return make();
  } catch (error) {
    throw error instanceof NotTranslated ? error : new NoPlan();
  }
}

type Field = GraphQLField<unknown, unknown>;
type Where = Readonly<Record<string, unknown>>;

const constant = (written: string) => () => written;

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
