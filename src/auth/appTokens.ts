/**
 * What applications get for a code and for a refresh token (RFC 6749 4.1.3 and 6, OAuth 2.1): an access token, and the refresh token
 * that is next. Each is good once; one that comes twice was copied, so that the access as a whole ends.
 */
import { hash } from 'node:crypto';
import type { ApiKey, OauthApp, PrismaClient } from '#prisma/client.js';
import { isAppId } from '../apps/authorizationRequest.js';
import { type Actor, serverActor } from '../audit/entry.js';
import { nextVersion } from '../db/unitOfWork.js';
import { raiseAlert } from '../keys/alerts.js';
import { keyRefusal, keyStatus, type Refusal } from '../keys/apiKey.js';
import type { ApiKeyService } from '../keys/apiKeyService.js';
import { listOf } from '../keys/authority.js';
import { generateSecret, hashKey, isSecret } from '../keys/format.js';
import type { KeyUnit } from '../keys/keyUnit.js';
import type { Plan, Plans } from '../keys/plans.js';
import { withBonds } from '../keys/storedKeys.js';
import { GRANTABLE, isScopeSubset, narrowed, scopeSet } from '../scopes/scope.js';
import { type IssuedToken, writeToken } from './accessTokens.js';
import { type Principal, principalOf } from './principal.js';

/** Milliseconds: access that is not used for so long ends. */
const REFRESH_LIFETIME = 90 * 86_400_000;

type Where = Pick<Actor, 'ip' | 'userAgent' | 'requestId'>;
/** Takes what the request costs from the limits of the access. Throws where nothing is left. */
type Admit = (principal: Principal) => Promise<void>;

export interface AppTokenSet extends IssuedToken {
  /** Shown this once. */
  readonly refreshToken: string;
}

export class GrantRefused extends Error {
  constructor(
    readonly code: 'invalid_grant' | 'invalid_scope',
    message: string,
    /** Where it counts as an authentication that failed: why, and of what. */
    readonly failure?: { readonly reason: Refusal; readonly principal?: Principal },
  ) {
    super(message);
  }
}

const GONE = 'The access has ended: ask the user again.';

export class AppTokens {
  constructor(
    private readonly system: PrismaClient,
    private readonly keys: ApiKeyService,
    private readonly plans: Plans,
    private readonly clock: () => Date = () => new Date(),
  ) {}

  /** The application, if the secret is its own; undefined else. One that keeps no secret shows none. */
  async authenticate(id: string, secret: string | null): Promise<OauthApp | undefined> {
    const isWellFormed = isAppId(id) && (secret === null || isSecret('cs', secret));
    const app = isWellFormed ? await this.system.oauthApp.findUnique({ where: { id } }) : null;
    // Hashes of random bytes: that they are compared letter by letter tells nothing of use.
    return app && app.secretHash === (secret === null ? null : hashKey(secret)) ? app : undefined;
  }

  /** @throws GrantRefused */
  async redeem(
    where: Where,
    app: OauthApp,
    given: { readonly code: string; readonly redirectUri: string | null; readonly verifier: string },
    admit: Admit,
  ): Promise<AppTokenSet> {
    const id = { hash: hashKey(given.code) };
    const found = isSecret('ac', given.code)
      ? await this.system.oauthCode.findUnique({ where: id, include: { key: true } })
      : null;
    if (found?.key.appId !== app.id) throw unknown('code');
    // Whoever does not know what it was made with has it from somebody else, and changes nothing by showing it.
    const isOwn = hash('sha256', given.verifier, 'base64url') === found.codeChallenge;
    if (!isOwn)
      throw new GrantRefused('invalid_grant', 'The code_verifier is not the one of the code.', { reason: 'unknown' });
    if (given.redirectUri !== null && given.redirectUri !== found.redirectUri) {
      throw new GrantRefused('invalid_grant', 'The redirect_uri is not the one that the code was sent to.');
    }
    return this.#once(where, found.key, admit, async ({ unit: { tx, now } }, key) => {
      const code = await tx.oauthCode.findUnique({ where: id });
      if (!code) throw new GrantRefused('invalid_grant', GONE);
      if (code.usedAt !== null) return 'copied';
      if (code.expiresAt <= now) throw new GrantRefused('invalid_grant', 'The code has expired: ask the user again.');
      await tx.oauthCode.update({ where: id, data: { usedAt: now } });
      // Until now it lasted no longer than its code.
      const isCodes = key.expiresAt?.getTime() === code.expiresAt.getTime();
      const data = { expiresAt: null, termSeconds: null, updatedAt: nextVersion(key, now) };
      return { key: isCodes ? await tx.apiKey.update({ where: { id: key.id }, data }) : key, wanted: undefined };
    });
  }

  /** @param wanted scopes; undefined: all of the access @throws GrantRefused */
  async refresh(
    where: Where,
    app: OauthApp,
    token: string,
    wanted: readonly string[] | undefined,
    admit: Admit,
  ): Promise<AppTokenSet> {
    const id = { hash: hashKey(token) };
    const found = isSecret('rt', token)
      ? await this.system.oauthRefreshToken.findUnique({ where: id, include: { key: true } })
      : null;
    if (found?.key.appId !== app.id) throw unknown('refresh token');
    return this.#once(where, found.key, admit, async ({ unit: { tx, now } }, key) => {
      const current = await tx.oauthRefreshToken.findUnique({ where: id });
      if (!current || current.expiresAt <= now) throw new GrantRefused('invalid_grant', GONE);
      if (current.usedAt !== null) return 'copied';
      const isKnown = wanted?.every((scope) => GRANTABLE.includes(scope)) ?? true;
      if (wanted && (!isKnown || !isScopeSubset(scopeSet(wanted), scopeSet(listOf(key.scopes))))) {
        throw new GrantRefused('invalid_scope', 'The user did not allow all of these scopes.');
      }
      await tx.oauthRefreshToken.update({ where: id, data: { usedAt: now } });
      return { key, wanted };
    });
  }

  /**
   * Ends the access that a token of the application is of (RFC 7009); again changes nothing.
   * @throws GrantRefused for what is no token of it
   */
  async revoke(where: Where, app: OauthApp, token: string, admit: Admit): Promise<void> {
    const id = { hash: hashKey(token) };
    const find = { where: id, include: { key: true } } as const;
    const found = isSecret('rt', token)
      ? await this.system.oauthRefreshToken.findUnique(find)
      : isSecret('at', token)
        ? await this.system.accessToken.findUnique(find)
        : null;
    if (found?.key.appId !== app.id) throw unknown('token');
    await admit(await this.#holder(found.key));
    await this.keys.end(actorOf(found.key, where), found.key, 'ended by its application');
  }

  /**
   * @param use marks what was shown as used, within the change; answers the row of the access as it is then, or that what was shown was
   * used before
   */
  async #once(
    where: Where,
    row: ApiKey,
    admit: Admit,
    use: (
      context: KeyUnit,
      row: ApiKey,
    ) => Promise<'copied' | { readonly key: ApiKey; readonly wanted: readonly string[] | undefined }>,
  ): Promise<AppTokenSet> {
    const actor = actorOf(row, where);
    const asked = await this.#holder(row);
    const refusal = keyRefusal(row, where.ip, this.clock());
    if (refusal) throw new GrantRefused('invalid_grant', GONE, { reason: refusal, principal: asked });
    await admit(asked);
    const issued = await this.keys.units.look(actor, 'operator', async (context) => {
      const { unit } = context;
      const { tx, now, actor } = unit;
      const current = await tx.apiKey.findUnique({ where: { id: row.id } });
      if (!current || keyStatus(current, now) !== 'ACTIVE') throw new GrantRefused('invalid_grant', GONE);
      const used = await use(context, current);
      if (used === 'copied') {
        await this.keys.endWithin(context, await withBonds(tx, [current], now), 'a code or refresh token came twice');
        return undefined;
      }
      const { key, wanted } = used;
      const holder = await holderOf(tx, key, asked.plan, now);
      // What the role of the user does not give any more, is left out.
      const scopes = narrowed(wanted ?? listOf(key.scopes), [...holder.authority.scopes]);
      if (scopes.length === 0)
        throw new GrantRefused('invalid_scope', 'The role of the user gives none of it any more.');
      const access = await writeToken(unit, holder, scopes);
      const refreshToken = generateSecret('rt', row.environment);
      await tx.oauthRefreshToken.create({
        data: {
          ...{ hash: hashKey(refreshToken), keyId: row.id, createdAt: now },
          ...{ workspaceId: actor.workspaceId, environment: row.environment },
          expiresAt: new Date(now.getTime() + REFRESH_LIFETIME),
        },
        select: { keyId: true },
      });
      return { ...access, refreshToken };
    });
    if (issued) return issued;
    await raiseAlert(this.system, {
      ...row,
      kind: 'TOKEN_REUSED',
      keyId: row.id,
      message: `A code or refresh token of the application ${row.name} came twice: somebody copied it, or the application did not store the next one. Its access is ended.`,
      occasion: '',
    });
    throw new GrantRefused('invalid_grant', GONE);
  }

  async #holder(row: ApiKey): Promise<Principal> {
    const workspace = await this.system.workspace.findUniqueOrThrow({ where: { id: row.workspaceId } });
    return holderOf(this.system, row, this.plans.of(workspace), this.clock());
  }
}

/** Whoever has the access, as the key stands. */
async function holderOf(
  reader: Parameters<typeof withBonds>[0],
  key: ApiKey,
  plan: Plan,
  now: Date,
): Promise<Principal> {
  const [stored] = await withBonds(reader, [key], now);
  return principalOf(stored as NonNullable<typeof stored>, plan);
}

const unknown = (what: string) =>
  new GrantRefused('invalid_grant', `There is no such ${what} of this client.`, { reason: 'unknown' });

function actorOf(key: ApiKey, where: Where): Actor {
  return { ...serverActor(key, ''), ...where, keyId: key.id, userId: key.actsAsId };
}
