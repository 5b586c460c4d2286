/** The statements of a list, which are made once for the arguments and the reach that they depend on. */
import { LRUCache } from 'lru-cache';
import { type Reader, readingFor } from '../../db/reader.js';
import type { Rows } from '../../db/rows.js';
import type { Where } from '../../db/statement.js';
import { nameOfReach } from '../../db/tenant.js';
import type { List, Narrowed } from '../connections/connection.js';
import type { Context } from '../context.js';
import { COUNTED, type ConnectionShape, type Page, pageQuery, type Row } from './reading.js';

/** Of one list in one operation. */
const MAX_KEPT = 10;
/** Characters of arguments. */
const MAX_ARGUMENTS = 500;

/** The rows of a page and one more, and the count of all where it is asked for. */
type ReadList = (reader: Reader) => Promise<[rows: Row[], count: number]>;

interface PreparedList {
  readonly read: ReadList;
  cut(rows: readonly Row[]): Page;
}

export class KeptLists {
  readonly #kept = new LRUCache<string, PreparedList>({ max: MAX_KEPT });

  constructor(
    private readonly shape: ConnectionShape,
    private readonly list: (args: object, context: Context) => List,
  ) {}

  /** @throws NoPlan, NotTranslated; ApiError for the arguments */
  of(args: object, context: Context): PreparedList {
    const name = this.#nameFor(args, context);
    const known = name === undefined ? undefined : this.#kept.get(name);
    if (known) return known;
    const list = this.list(args, context);
    const made = prepared(this.shape, list, context);
    // What depends on more than the name has said so meanwhile, or asks the index of the moment.
    if (name !== undefined && context.use.isRememberable && !list.narrow) this.#kept.set(name, made);
    return made;
  }

  #nameFor(args: object, { reach, use }: Context): string | undefined {
    if (!use.isRememberable || !COUNTED.has(this.shape.rowType.name)) return undefined;
    const values = JSON.stringify(args);
    return values.length > MAX_ARGUMENTS ? undefined : `${nameOfReach(reach)} ${values}`;
  }
}

function prepared(
  shape: ConnectionShape,
  asked: List,
  { reach, services }: { readonly reach: Context['reach']; readonly services: { database: { rows: Rows } } },
): PreparedList {
  const { rows } = services.database;
  const { query, cut } = pageQuery(shape, asked);
  const prepare = (narrowed: Narrowed = { where: {} }): ReadList => {
    const within = narrowed.where as Where;
    // The rows of the page have been compared.
    const where = narrowed.isPage ? within : { AND: [query.where, within] };
    const find = rows.prepare(reach, { ...query, where });
    if (!shape.hasCount) return async (reader) => [await find(reader), 0];
    const count = rows.prepareCount(reach, asked.model, { AND: [asked.where, within] }, asked.count);
    return (reader) => Promise.all([find(reader), count(reader)]);
  };
  const { narrow, soon } = asked;
  const all = prepare();
  if (!narrow) return { read: all, cut };
  const readSoon = async (reader: Reader): Promise<[Row[], number]> => {
    if (!soon || shape.hasCount) return all(reader);
    const readWithin = async (where?: object) => (await (where ? prepare({ where }) : all)(reader))[0];
    return [await readingFor(reader, () => soon(readWithin)), 0];
  };
  const readAmong = async (isForPage: boolean, reader: Reader) => {
    const narrowed = await readingFor(reader, () => narrow(isForPage));
    const isPage = narrowed?.isPage === true;
    return { isPage, found: await (narrowed ? prepare(narrowed)(reader) : readSoon(reader)) };
  };
  const read: ReadList = async (reader) => {
    const version = rows.version(reach);
    const { isPage, found } = await readAmong(!shape.hasCount, reader);
    // What was the page may not be it any longer.
    return isPage && rows.version(reach) !== version ? (await readAmong(false, reader)).found : found;
  };
  return { read, cut };
}
