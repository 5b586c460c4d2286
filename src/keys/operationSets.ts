/**
 * Sets of operations that keys are locked to. A new set is a version of its own: the one before runs on for a grace period, in
 * which an app is deployed while its key changes, and shows whether it is still used.
 */
import { isDeepStrictEqual } from 'node:util';
import { LRUCache } from 'lru-cache';
import type { ApiKey, PrismaClient } from '#prisma/client.js';
import type { Actor } from '../audit/entry.js';
import type { Unit, UnitOfWork } from '../db/unitOfWork.js';
import { badInput } from '../errors.js';
import { newId } from '../ids.js';
import { expectVersion } from '../input.js';
import { boundsOf, listOf } from './authority.js';
import { changeKey, type Remember } from './changeKey.js';
import { aboutKey, type Caller, findChangeable, type KeyUnit, KeyUnits, noteGiven } from './keyUnit.js';
import { type LockedOperation, lockOf, type OperationLock, type Pins } from './operationLock.js';
import type { Plans } from './plans.js';
import { decideChange, type NewOperation } from './rules.js';
import { endGrants } from './scopeGrants.js';
import { lineageOf } from './storedKeys.js';

/** Operations of one set. */
export const MOST_OPERATIONS = 1000;
/** Characters of all their texts. */
const MOST_CHARACTERS = 2_000_000;
/** Seconds: 30 days. */
const MAX_GRACE = 30 * 86_400;
/** Rows of one statement. */
const BATCH = 200;

interface Operation {
  readonly hash: string;
  readonly name: string;
  readonly scopes: readonly string[];
  readonly pins: Pins;
}

/** A pinned variable that is another in the new set; undefined: it is not pinned. */
interface PinChange {
  readonly operation: string;
  readonly variable: string;
  readonly from: unknown;
  readonly to: unknown;
}

/** What a new set changes. */
export interface SetDifference {
  readonly added: readonly Operation[];
  readonly removed: readonly Operation[];
  readonly kept: number;
  readonly addedScopes: readonly string[];
  readonly removedScopes: readonly string[];
  readonly pins: readonly PinChange[];
}

export interface SetChange {
  readonly apiKey: ApiKey;
  readonly difference: SetDifference;
  readonly applied: boolean;
}

interface SetOptions {
  /** Seconds that the present set runs on. */
  readonly gracePeriod: number;
  /** Tells the difference, and changes nothing. */
  readonly dryRun: boolean;
  readonly expectedUpdatedAt?: Date | null | undefined;
}

/** @throws BAD_USER_INPUT for more than a set may hold, and for an operation that is there twice */
export function checkOperations(operations: readonly NewOperation[]): void {
  if (operations.length === 0) throw badInput({ documents: ['must hold an operation'] });
  if (operations.length > MOST_OPERATIONS) {
    throw badInput({ documents: [`must hold at most ${MOST_OPERATIONS} operations; they hold ${operations.length}`] });
  }
  const characters = operations.reduce((sum, { text }) => sum + text.length, 0);
  if (characters > MOST_CHARACTERS) {
    throw badInput({ documents: [`must have at most ${MOST_CHARACTERS} characters; they have ${characters}`] });
  }
}

/** The lock that a set is that is not written yet. */
export function newLock(operations: readonly NewOperation[]): OperationLock {
  return lockOf(
    operations.map(({ hash, name, scopes, pins }) => ({ hash, name, scopes, pins, setId: '', endsAt: null })),
  );
}

/** Writes a set of a line of keys. */
export async function writeOperations(
  { tx, now, actor }: Unit,
  key: Pick<ApiKey, 'id' | 'lineageId' | 'environment'>,
  operations: readonly NewOperation[],
  version: number,
): Promise<string> {
  const { workspaceId } = actor;
  const { environment } = key;
  const id = newId();
  await tx.keyOperationSet.create({
    data: { id, lineageId: lineageOf(key), workspaceId, environment, version, createdAt: now },
  });
  const rows = operations.map(({ hash, textHash, name, text, scopes, pins }) => ({
    ...{ setId: id, workspaceId, environment, hash, textHash, name, text },
    scopes: scopes.join(' '),
    ...(Object.keys(pins).length > 0 && { pins: pins as object }),
  }));
  for (let at = 0; at < rows.length; at += BATCH) {
    await tx.keyOperation.createMany({ data: rows.slice(at, at + BATCH) });
  }
  return id;
}

function differenceOf(before: readonly Operation[], after: readonly Operation[]): SetDifference {
  const old = new Map(before.map((operation) => [operation.hash, operation]));
  const present = new Map(after.map((operation) => [operation.hash, operation]));
  const scopesIn = (operations: readonly Operation[]) => new Set(operations.flatMap(({ scopes }) => scopes));
  const [scopesBefore, scopesAfter] = [scopesIn(before), scopesIn(after)];
  const kept = after.filter(({ hash }) => old.has(hash));
  return {
    added: after.filter(({ hash }) => !old.has(hash)),
    removed: before.filter(({ hash }) => !present.has(hash)),
    kept: kept.length,
    addedScopes: [...scopesAfter].filter((scope) => !scopesBefore.has(scope)).sort(),
    removedScopes: [...scopesBefore].filter((scope) => !scopesAfter.has(scope)).sort(),
    pins: kept.flatMap(({ hash, name, pins }) => {
      const was = new Map(Object.entries(old.get(hash)?.pins ?? {}));
      const is = new Map(Object.entries(pins));
      return [...new Set([...was.keys(), ...is.keys()])].flatMap((variable) => {
        const [from, to] = [was.get(variable), is.get(variable)];
        return isDeepStrictEqual(from, to) ? [] : { operation: name, variable, from, to };
      });
    }),
  };
}

/** Characters of texts that are kept. */
const MAX_TEXTS = 10_000_000;

export class OperationSets {
  readonly #units: KeyUnits;
  readonly #texts = new LRUCache<string, string>({
    maxSize: MAX_TEXTS,
    sizeCalculation: (text) => text.length + 100,
  });

  constructor(
    private readonly system: Pick<PrismaClient, 'keyOperation'>,
    units: UnitOfWork,
    plans: Plans,
    private readonly remember: Remember = () => {},
  ) {
    this.#units = new KeyUnits(units, plans);
  }

  /**
   * Locks a key to operations, or gives a locked one a new set. The key has the scopes that the operations need, and while the
   * set before runs on, those that it needs.
   * @throws BAD_USER_INPUT; FORBIDDEN where the key, as it is or as it becomes, lies beyond the caller; CONFLICT
   */
  async set(
    actor: Actor,
    caller: Caller,
    id: string,
    operations: readonly NewOperation[],
    options: SetOptions,
  ): Promise<SetChange> {
    const { gracePeriod, dryRun } = options;
    checkOperations(operations);
    if (!Number.isInteger(gracePeriod) || gracePeriod < 0 || gracePeriod > MAX_GRACE) {
      throw badInput({ gracePeriod: [`must be from 0 to ${MAX_GRACE} seconds`] });
    }
    const change = (context: KeyUnit) => this.#set(context, id, operations, options);
    return dryRun ? this.#units.look(actor, caller, change) : this.#units.run(actor, caller, change);
  }

  async #set(
    context: KeyUnit,
    id: string,
    operations: readonly NewOperation[],
    { gracePeriod, dryRun, expectedUpdatedAt }: SetOptions,
  ): Promise<SetChange> {
    const { unit, bound, policy } = context;
    const { tx, now } = unit;
    const key = await findChangeable(context, id);
    expectVersion(key, expectedUpdatedAt);
    const lineageId = lineageOf(key);
    const latest = await tx.keyOperationSet.findFirst({
      where: { lineageId },
      orderBy: { version: 'desc' },
      include: { operations: { omit: { text: true } } },
    });
    const isRunning = key.isLocked && latest !== null && latest.endsAt === null;
    const before = (isRunning ? latest.operations : []).map(operationOf);
    const difference = differenceOf(before, operations);
    const runsOn = isRunning && gracePeriod > 0 ? [...(key.lock?.values() ?? [])].flat() : [];
    const lock = lockOf([...newLock(operations).values(), runsOn].flat());
    const scopes = [...new Set([...operations, ...runsOn].flatMap((operation) => operation.scopes))].sort();
    // Whether it may be, whoever asks.
    noteGiven(context, { ...key, ...decideChange(key, { lock, scopes }, bound, policy) });
    const { added, removed, pins } = difference;
    const isSame = isRunning && added.length + removed.length + pins.length === 0;
    if (dryRun || isSame) return { apiKey: key, difference, applied: false };
    // What a key ran that was unlocked since, it does not run again.
    const endsAt = isRunning ? new Date(now.getTime() + gracePeriod * 1000) : now;
    // One that ends sooner goes on to.
    await tx.keyOperationSet.updateMany({
      where: { lineageId, OR: [{ endsAt: null }, { endsAt: { gt: endsAt } }] },
      data: { endsAt },
    });
    const setId = await writeOperations(unit, key, operations, (latest?.version ?? 0) + 1);
    const apiKey = await changeKey(context, key, { lock, scopes }, this.remember);
    await endGrants(unit, key);
    unit.afterCommit(() => this.remember([{ hash: key.hash, at: now, bounds: boundsOf(apiKey), setId }]));
    const names = { from: before.map(({ name }) => name), to: operations.map(({ name }) => name) };
    const changes = { operations: names, gracePeriod: { to: gracePeriod } };
    unit.audit({ ...aboutKey(key, 'operations'), changes });
    return { apiKey, difference, applied: true };
  }

  /** The text of an operation that a key runs, which its client names by a hash. */
  async textOf(lock: OperationLock, hash: string): Promise<string | undefined> {
    const known = lock.get(hash)?.[0];
    if (known) return this.#textWhere({ setId: known.setId, hash });
    const setIds = [...new Set([...lock.values()].flat().map(({ setId }) => setId))];
    for (const setId of setIds) {
      const text = await this.#textWhere({ setId, textHash: hash });
      if (text !== undefined) return text;
    }
    return undefined;
  }

  async #textWhere(where: { setId: string; hash?: string; textHash?: string }): Promise<string | undefined> {
    const name = JSON.stringify(where);
    const known = this.#texts.get(name);
    if (known !== undefined) return known;
    const row = await this.system.keyOperation.findFirst({ where, select: { text: true } });
    if (row) this.#texts.set(name, row.text);
    return row?.text;
  }
}

const operationOf = (row: { hash: string; name: string; scopes: string; pins: unknown }): Operation => ({
  ...{ hash: row.hash, name: row.name },
  scopes: listOf(row.scopes),
  pins: (row.pins ?? {}) as LockedOperation['pins'],
});
