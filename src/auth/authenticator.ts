/**
 * key -> principal. A key costs one indexed read (its workspace one more, rarely), or none while it is cached; a text that is no key never reaches the
 * database.
 *
 * The cache is never more than MAX_AGE behind a change made by direct SQL, POLL behind one made by another process
 * (seen by the epoch; sooner when that process says so), and not at all behind one made here: a change drops the entry and raises the generation, and a
 * read that began under an older generation is used once but not kept.
 */
import { LRUCache } from 'lru-cache';
import type { PrismaClient } from '#prisma/client.js';
import type { Bus } from '../events/bus.js';
import { list, type Refusal, refusalOf } from '../keys/apiKey.js';
import { hashKey, isToken, parseKey } from '../keys/format.js';
import { KEY_EPOCH, type Keys } from '../keys/keys.js';
import { narrowed } from '../scopes/scope.js';
import type { Session } from './context.js';
import { type Principal, principalOf } from './principal.js';

/** Milliseconds. */
const MAX_AGE = 5000;
const POLL = 250;
const SESSION_CHECK = 1000;
const MAX_ENTRIES = 10_000;
/** Told to the other processes with every change. */
const TOPIC = 'keys';

export type Authentication =
  | { readonly ok: true; readonly principal: Principal }
  | { readonly ok: false; readonly reason: Refusal; readonly principal?: Principal };

/** What a credential stands for, and how long where it ends before its key does. */
interface Known {
  readonly principal: Principal;
  readonly until?: Date;
}

export class Authenticator {
  readonly #cache = new LRUCache<string, Known>({ max: MAX_ENTRIES, ttl: MAX_AGE, ttlResolution: 50 });
  readonly #plans = new LRUCache<string, string>({ max: MAX_ENTRIES, ttl: MAX_AGE });
  readonly #sessions = new Set<() => void>();
  readonly #poll: NodeJS.Timeout;
  #generation = 0;
  #epoch: number | undefined;

  constructor(
    private readonly system: PrismaClient,
    keys: Keys,
    bus: Bus,
  ) {
    keys.onChange(() => {
      this.invalidate();
      bus.publish({ topic: TOPIC });
    });
    bus.subscribe(
      ({ topic }) => {
        if (topic === TOPIC) this.invalidate();
      },
      () => this.invalidate(),
    );
    this.#poll = setInterval(() => void this.#readEpoch(), POLL).unref();
  }

  /**
   * @param credential a key, or an access token that was given out for one
   * @param ip the client's address, for the key's allow-list
   */
  async authenticate(credential: string, ip: string | null, now = new Date()): Promise<Authentication> {
    const known = await this.#lookUp(credential);
    if (known === 'malformed') return { ok: false, reason: 'malformed' };
    if (!known) return { ok: false, reason: 'unknown' };
    const { principal, until } = known;
    // Tokens end every hour, and their key is none the worse for it.
    if (until !== undefined && until <= now) return { ok: false, reason: 'expired' };
    const reason = refusalOf(principal.apiKey, ip, now);
    return reason ? { ok: false, reason, principal } : { ok: true, principal };
  }

  /** Watches a key for as long as something that it opened lives. */
  session(key: string, ip: string | null): Session {
    const mayContinue = async () => (await this.authenticate(key, ip)).ok;
    return {
      mayContinue,
      onEnd: (listener) => {
        const check = () => void mayContinue().then((may) => may || listener(), listener);
        // Expiry is no change, so nobody tells of it.
        const timer = setInterval(check, SESSION_CHECK).unref();
        this.#sessions.add(check);
        return () => {
          clearInterval(timer);
          this.#sessions.delete(check);
        };
      },
    };
  }

  /** Drops what is cached; reads already under way are not kept. Keys change rarely, so all of it goes. */
  invalidate(): void {
    this.#generation += 1;
    this.#cache.clear();
    for (const check of this.#sessions) check();
  }

  close(): void {
    clearInterval(this.#poll);
  }

  async #lookUp(credential: string): Promise<Known | 'malformed' | undefined> {
    const read = parseKey(credential) ? this.#readKey : isToken(credential) ? this.#readToken : undefined;
    if (!read) return 'malformed';
    const hash = hashKey(credential);
    const cached = this.#cache.get(hash);
    if (cached) return cached;
    const generation = this.#generation;
    const known = await read.call(this, hash);
    if (known && generation === this.#generation) this.#cache.set(hash, known);
    return known;
  }

  async #readKey(hash: string): Promise<Known | undefined> {
    const row = await this.system.apiKey.findUnique({ where: { hash } });
    return row ? { principal: principalOf(row, await this.#plan(row.workspaceId)) } : undefined;
  }

  /** A token is its key, with fewer scopes perhaps, for a while. */
  async #readToken(hash: string): Promise<Known | undefined> {
    const token = await this.system.accessToken.findUnique({ where: { hash }, include: { key: true } });
    if (!token) return undefined;
    const scopes = narrowed(list(token.scopes), list(token.key.scopes)).join(' ');
    const until = token.expiresAt;
    return { principal: principalOf({ ...token.key, scopes }, await this.#plan(token.workspaceId), until), until };
  }

  async #plan(workspaceId: string): Promise<string> {
    const known = this.#plans.get(workspaceId);
    if (known !== undefined) return known;
    const { plan } = await this.system.workspace.findUniqueOrThrow({ where: { id: workspaceId } });
    this.#plans.set(workspaceId, plan);
    return plan;
  }

  async #readEpoch(): Promise<void> {
    try {
      const row = await this.system.epoch.findUnique({ where: { name: KEY_EPOCH } });
      const epoch = row?.value ?? 0;
      if (this.#epoch !== undefined && epoch !== this.#epoch) this.invalidate();
      this.#epoch = epoch;
    } catch {
      // The database is out of reach: what is cached may be old, and requests will report the fault.
      this.invalidate();
    }
  }
}
