/** Watches keys in use: refused ones for the audit log, limits reached and failures piling up for the alerts. */
import { LRUCache } from 'lru-cache';
import type { PrismaClient } from '#prisma/client.js';
import { atMost } from '../atMost.js';
import { shortUserAgent } from '../audit/entry.js';
import type { Tenant } from '../db/tenant.js';
import { type AlertKind, raiseAlert } from './alerts.js';
import type { Refusal } from './apiKey.js';
import { DEFAULT_WORKSPACE } from './bootstrap.js';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
/** Refused uses of one key within an hour that make an alert. */
const MANY_REFUSALS = 10;

interface WatchedKey extends Tenant {
  readonly keyId: string;
  readonly apiKey?: { readonly isSession: boolean };
}

interface Origin {
  readonly ip: string | null;
  readonly userAgent: string | null;
  readonly requestId: string;
}

export class KeyMonitor {
  /** Alerts that were raised already, so that a flood of the same costs the database nothing. */
  readonly #raised = new LRUCache<string, true>({ ...atMost(10_000), ttl: HOUR });
  readonly #beingRaised = new Set<string>();
  readonly #refusals = new LRUCache<string, number>({ ...atMost(10_000), ttl: HOUR });

  constructor(
    private readonly system: PrismaClient,
    private readonly onError: (error: unknown) => void,
  ) {}

  /** A key that exists was refused. The audit log says why, once a minute for the same reason. */
  refused(key: WatchedKey, reason: Refusal, { ip, userAgent, requestId }: Origin, now = Date.now()): void {
    const { workspaceId, environment, keyId } = key;
    this.#once(`refused ${keyId} ${reason} ${Math.floor(now / MINUTE)}`, () =>
      this.system.auditEvent.create({
        data: {
          workspaceId,
          environment,
          action: 'api_key.refused',
          targetType: 'ApiKey',
          targetId: keyId,
          ip,
          userAgent: shortUserAgent(userAgent),
          requestId,
          changes: { reason },
        },
      }),
    );
    const refusals = (this.#refusals.get(keyId) ?? 0) + 1;
    this.#refusals.set(keyId, refusals, { noUpdateTTL: true });
    if (refusals >= MANY_REFUSALS) {
      this.#alert(
        key,
        'AUTHENTICATION_FAILURES',
        `The key was refused ${MANY_REFUSALS} times within an hour (${reason}).`,
        HOUR,
        now,
      );
    }
  }

  /** How a key stands in its widest window after a request. */
  limits(
    key: WatchedKey,
    window: { limit: number; remaining: number; length: number },
    allowed: boolean,
    now = Date.now(),
  ): void {
    // A person sees it on the page.
    if (key.apiKey?.isSession) return;
    const { limit, remaining, length } = window;
    if (!allowed) this.#alert(key, 'LIMIT_HIT', 'The key reached its rate limit; requests are refused.', HOUR, now);
    const span = length * 1000;
    if (remaining === 0) this.#alert(key, 'QUOTA_100', `The key used all of its ${limit} requests.`, span, now);
    else if (remaining <= limit * 0.2)
      this.#alert(key, 'QUOTA_80', `The key used 80 % of its ${limit} requests.`, span, now);
  }

  /** Keys that nobody has are tried from a network. The alert is the operator's workspace's: no other is concerned. */
  guessed(network: string, now = Date.now()): void {
    const occasion = `${network} ${new Date(Math.floor(now / HOUR) * HOUR).toISOString()}`;
    this.#once(`KEYS_GUESSED ${occasion}`, async () => {
      const operators = await this.system.workspace.findUnique({ where: { slug: DEFAULT_WORKSPACE } });
      if (!operators) return;
      const tenant = { workspaceId: operators.id, environment: 'LIVE' as const };
      const message = `Keys that nobody has are tried from ${network}.`;
      await raiseAlert(this.system, { ...tenant, kind: 'KEYS_GUESSED', keyId: null, message, occasion });
    });
  }

  #alert(key: WatchedKey, kind: AlertKind, message: string, span: number, now: number): void {
    const occasion = new Date(Math.floor(now / span) * span).toISOString();
    this.#once(`${kind} ${key.keyId} ${occasion}`, () => raiseAlert(this.system, { ...key, kind, message, occasion }));
  }

  #once(what: string, run: () => PromiseLike<unknown>): void {
    if (this.#raised.has(what) || this.#beingRaised.has(what)) return;
    this.#beingRaised.add(what);
    // What could not be written is raised the next time.
    run()
      .then(() => void this.#raised.set(what, true), this.onError)
      .then(() => this.#beingRaised.delete(what));
  }
}
