/**
 * key -> principal. A key costs one indexed read (its workspace one more, rarely), or none while it is cached, and so does one
 * that nobody has; a text that is no key never reaches the database.
 *
 * The cache is never more than MAX_AGE behind a change made by direct SQL, POLL behind one made by another process
 * (seen by the change counter; sooner when that process says so), and not at all behind one made here: a change drops the entry
 * and raises the generation, and a read that began under an older generation is used once but not kept.
 */
import { LRUCache } from 'lru-cache';
import type { PrismaClient } from '#prisma/client.js';
import { atMost } from '../atMost.js';
import { KEY_CHANGES, type UnitOfWork } from '../db/unitOfWork.js';
import { keyRefusal, type Refusal } from '../keys/apiKey.js';
import { listOf } from '../keys/authority.js';
import { hashKey, isSecret, parseKey } from '../keys/format.js';
import type { Plan, Plans } from '../keys/plans.js';
import { timedGrants } from '../keys/scopeGrants.js';
import { withBonds } from '../keys/storedKeys.js';
import type { Bus } from '../messaging/bus.js';
import { type Principal, principalOf } from './principal.js';
import type { Session } from './session.js';
import { idOf, isSession, type SignedIn, sessionRow } from './signedIn.js';

/** Milliseconds. */
const MAX_AGE = 5000;
const POLL = 250;
const SESSION_CHECK = 1000;
/** A person's session ends by no change of keys; another process may have ended it. */
const MEMBER_AGE = 1000;
const MAX_ENTRIES = 10_000;
/** Told to the other processes with every change. */
const TOPIC = 'keys';

export type Authentication =
  | { readonly ok: true; readonly principal: Principal }
  | { readonly ok: false; readonly reason: Refusal; readonly principal?: Principal };

type Listener = (principal: Principal | undefined) => void;

/** A credential of which something is open. */
interface Watched {
  readonly listeners: Set<Listener>;
  readonly check: () => void;
  readonly timer: NodeJS.Timeout;
}

export class Authenticator {
  readonly #cache: LRUCache<string, Principal>;
  /** Hashes of well-formed keys that nobody has: to guess costs the database nothing more. Apart, so that guesses push out no key. */
  readonly #unknown: LRUCache<string, true>;
  readonly #plans: LRUCache<string, Plan>;
  /** Reads under way, which all who ask for the same key wait for. */
  readonly #reading = new Map<string, Promise<Principal | undefined>>();
  readonly #watched = new Map<string, Watched>();
  readonly #poll: NodeJS.Timeout;
  #generation = 0;
  #changes: number | undefined;

  constructor(
    private readonly system: PrismaClient,
    private readonly plans: Plans,
    units: UnitOfWork,
    bus: Bus,
    private readonly clock: () => Date = () => new Date(),
  ) {
    const options = { ...atMost(MAX_ENTRIES), ttl: MAX_AGE, ttlResolution: 0, perf: { now: () => clock().getTime() } };
    this.#cache = new LRUCache(options);
    this.#unknown = new LRUCache(options);
    this.#plans = new LRUCache(options);
    units.onKeysChanged(() => this.invalidate());
    units.onKeysChanged(() => bus.publish({ topic: TOPIC }));
    bus.subscribe(
      ({ topic }) => {
        if (topic === TOPIC) this.invalidate();
      },
      () => this.invalidate(),
    );
    let isReading = false;
    this.#poll = setInterval(async () => {
      // A database that hangs is not asked again meanwhile.
      if (isReading) return;
      isReading = true;
      await this.#readChanges();
      isReading = false;
    }, POLL).unref();
  }

  /**
   * @param credential a key, or an access token that was given out for one
   * @param ip the client's address, for the key's allow-list
   */
  async authenticate(credential: string, ip: string | null): Promise<Authentication> {
    const principal = await this.#lookUp(credential);
    if (principal === 'malformed') return { ok: false, reason: 'malformed' };
    if (!principal) return { ok: false, reason: 'unknown' };
    const now = this.clock();
    // Tokens end every hour; that is nothing to tell of their key.
    if (principal.token && principal.token.until <= now) return { ok: false, reason: 'expired' };
    const reason = keyRefusal(principal.apiKey, ip, now);
    return reason ? { ok: false, reason, principal } : { ok: true, principal };
  }

  /** The same of a person's session. */
  async authenticateMember(signedIn: SignedIn, ip: string | null): Promise<Authentication> {
    const principal = await this.#found(idOf(signedIn), (generation) => this.#readMember(signedIn, generation));
    if (!principal) return { ok: false, reason: 'unknown' };
    const reason = keyRefusal(principal.apiKey, ip, this.clock());
    return reason ? { ok: false, reason, principal } : { ok: true, principal };
  }

  /** The same at once, of a key that is cached and may be used; undefined for all others, which `authenticate` tells apart. */
  known(credential: string, ip: string | null): Principal | undefined {
    const principal = this.#cached(hashKey(credential));
    if (!principal) return undefined;
    const now = this.clock();
    if (principal.token && principal.token.until <= now) return undefined;
    return keyRefusal(principal.apiKey, ip, now) ? undefined : principal;
  }

  /** Watches a key for as long as something that it opened lives. */
  session(credential: string, ip: string | null): Session {
    return this.#session(
      () => `${hashKey(credential)} ${ip}`,
      () => this.authenticate(credential, ip),
    );
  }

  /** The same of a person's session. */
  memberSession(signedIn: SignedIn, ip: string | null): Session {
    return this.#session(
      () => `${idOf(signedIn)} ${ip}`,
      () => this.authenticateMember(signedIn, ip),
    );
  }

  #session(id: () => string, authenticate: () => Promise<Authentication>): Session {
    const current = async () => {
      const result = await authenticate();
      return result.ok ? result.principal : undefined;
    };
    return {
      get id() {
        return id();
      },
      current,
      onChange: (listener) => this.#watch(id(), current, listener),
    };
  }

  /** All streams of one credential share one check. */
  #watch(id: string, current: () => Promise<Principal | undefined>, listener: Listener): () => void {
    const watched = this.#watched.get(id) ?? this.#beginWatch(id, current);
    watched.listeners.add(listener);
    return () => {
      watched.listeners.delete(listener);
      if (watched.listeners.size > 0 || this.#watched.get(id) !== watched) return;
      clearInterval(watched.timer);
      this.#watched.delete(id);
    };
  }

  #beginWatch(id: string, current: () => Promise<Principal | undefined>): Watched {
    const listeners = new Set<Listener>();
    const tell = (principal: Principal | undefined) => {
      for (const listener of [...listeners]) listener(principal);
    };
    const check = () => void current().then(tell, () => tell(undefined));
    // Expiry is not a change, so no event announces it.
    const watched = { listeners, check, timer: setInterval(check, SESSION_CHECK).unref() };
    this.#watched.set(id, watched);
    return watched;
  }

  /** Drops what is cached; reads already under way are not kept. Keys change rarely, so all of it goes. */
  invalidate(): void {
    this.#generation += 1;
    this.#cache.clear();
    this.#unknown.clear();
    this.#plans.clear();
    this.#reading.clear();
    for (const { check } of this.#watched.values()) check();
  }

  /** The same for sessions of people alone, of which one has ended. */
  sessionEnded(): void {
    this.#generation += 1;
    for (const id of [...this.#cache.keys(), ...this.#unknown.keys()]) {
      if (!isSession(id)) continue;
      this.#cache.delete(id);
      this.#unknown.delete(id);
    }
    for (const id of this.#reading.keys()) if (isSession(id)) this.#reading.delete(id);
    for (const [id, { check }] of this.#watched) if (isSession(id)) check();
  }

  close(): void {
    clearInterval(this.#poll);
    for (const { timer } of this.#watched.values()) clearInterval(timer);
  }

  async #lookUp(credential: string): Promise<Principal | 'malformed' | undefined> {
    const read = parseKey(credential) ? this.#readKey : isSecret('at', credential) ? this.#readToken : undefined;
    if (!read) return 'malformed';
    const hash = hashKey(credential);
    return this.#found(hash, (generation) => read.call(this, hash, generation));
  }

  async #found(
    hash: string,
    read: (generation: number) => Promise<Principal | undefined>,
  ): Promise<Principal | undefined> {
    const cached = this.#cached(hash);
    if (cached) return cached;
    if (this.#unknown.has(hash)) return undefined;
    let reading = this.#reading.get(hash);
    if (!reading) {
      const generation = this.#generation;
      const begun = read(generation).then((principal) => {
        if (generation === this.#generation) {
          if (principal) this.#cache.set(hash, principal);
          else this.#unknown.set(hash, true);
        }
        return principal;
      });
      const done = () => void (this.#reading.get(hash) === begun && this.#reading.delete(hash));
      begun.then(done, done);
      this.#reading.set(hash, begun);
      reading = begun;
    }
    return reading;
  }

  #cached(hash: string): Principal | undefined {
    const principal = this.#cache.get(hash);
    if (!principal?.changesAt || principal.changesAt > this.clock()) return principal;
    this.#cache.delete(hash);
    return undefined;
  }

  async #readKey(hash: string, generation: number): Promise<Principal | undefined> {
    const row = await this.system.apiKey.findUnique({ where: { hash } });
    if (!row) return undefined;
    const now = this.clock();
    const [key] = await withBonds(this.system, [row], now);
    const plan = await this.#plan(row.workspaceId, generation);
    return key && principalOf(key, plan, undefined, await timedGrants(this.system, row, now));
  }

  /** A token is its key, with fewer scopes perhaps, for a while. */
  async #readToken(hash: string, generation: number): Promise<Principal | undefined> {
    const token = await this.system.accessToken.findUnique({ where: { hash }, include: { key: true } });
    if (!token) return undefined;
    const narrowing = { scopes: listOf(token.scopes), until: token.expiresAt };
    const [key] = await withBonds(this.system, [token.key], this.clock());
    return key && principalOf(key, await this.#plan(token.workspaceId, generation), narrowing);
  }

  async #readMember(signedIn: SignedIn, generation: number): Promise<Principal | undefined> {
    const now = this.clock();
    const row = await sessionRow(this.system, signedIn, now);
    if (!row) return undefined;
    const [key] = await withBonds(this.system, [row], now);
    const principal = key && principalOf(key, await this.#plan(row.workspaceId, generation));
    return principal && { ...principal, changesAt: new Date(now.getTime() + MEMBER_AGE) };
  }

  async #plan(workspaceId: string, generation: number): Promise<Plan> {
    const known = this.#plans.get(workspaceId);
    if (known !== undefined) return known;
    const plan = this.plans.of(await this.system.workspace.findUniqueOrThrow({ where: { id: workspaceId } }));
    if (generation === this.#generation) this.#plans.set(workspaceId, plan);
    return plan;
  }

  async #readChanges(): Promise<void> {
    try {
      const row = await this.system.changeCounter.findUnique({ where: { name: KEY_CHANGES } });
      const changes = row?.value ?? 0;
      // What was cached before the first time may be of any number.
      if (changes !== this.#changes) this.invalidate();
      this.#changes = changes;
    } catch {
      // The database is out of reach: what is cached may be old, and requests will report the fault.
      this.invalidate();
    }
  }
}
