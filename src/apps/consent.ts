/**
 * A user lets an application act as them: what they allow is a key of theirs that nothing opens but the tokens of the application,
 * with a reach of its own, usage, an entry in the audit log and an end, as any other key has.
 */
import type { ApiKey, OauthApp } from '#prisma/client.js';
import type { Actor } from '../audit/entry.js';
import { ApiError, badInput } from '../errors.js';
import { newId } from '../ids.js';
import { APP_HASH, KEYS } from '../keys/apiKey.js';
import { type ApiKeyService, keepRoom } from '../keys/apiKeyService.js';
import { listOf } from '../keys/authority.js';
import { mustBeThere } from '../keys/changeKey.js';
import { generateSecret, hashKey, tokenPrefix } from '../keys/format.js';
import { aboutKey, type Caller, type KeyUnit } from '../keys/keyUnit.js';
import { decideGrant } from '../keys/rules.js';
import { withBonds } from '../keys/storedKeys.js';
import { ROLE_GRANTS, type RoleName } from '../scopes/roles.js';
import { isScopeSubset, narrowed, scopeSet } from '../scopes/scope.js';
import type { Asked } from './authorizationRequest.js';
import { isRegistered } from './redirectUri.js';

/** Seconds. */
const CODE_LIFETIME = 60;
/** By one user to one application, from as many devices; of more, the oldest ends. */
const MOST_AT_ONCE = 20;

/** What the user allows of what was asked for. */
export interface Choice {
  readonly scopes: readonly string[];
  /** Ids; null: all. */
  readonly projects: readonly string[] | null;
}

/** What of the scopes a user of the role can give. */
export const offered = (scopes: readonly string[], role: RoleName): string[] => narrowed(scopes, ROLE_GRANTS[role]);

export class Consents {
  constructor(private readonly keys: ApiKeyService) {}

  /**
   * @param caller the session of the user
   * @returns the code that the application gets its tokens for, shown once
   * @throws FORBIDDEN for what is no session of a user; BAD_USER_INPUT for more than was asked for
   */
  async allow(actor: Actor, caller: Caller, app: OauthApp, asked: Asked, choice: Choice): Promise<string> {
    return this.keys.units.look(actor, caller, async (context) => {
      const { unit, key: session, bound, policy } = context;
      const { tx, now } = unit;
      const { environment } = app;
      const userId = session?.createdById;
      if (!session?.isSession || !session.role || !userId || environment !== actor.environment) {
        throw new ApiError('FORBIDDEN', 'A user allows this, after signing in.');
      }
      const possible = offered(asked.scopes, session.role);
      if (choice.scopes.length === 0 || choice.scopes.some((scope) => !possible.includes(scope))) {
        throw badInput({ scopes: ['must be some of those that are asked for and that you hold'] });
      }
      // As it is now: it may have been changed since the user was asked.
      const current = await tx.oauthApp.findUnique({ where: { id: app.id } });
      const isSame = current && isRegistered(asked.redirectUri, listOf(current.redirectUris));
      if (!isSame || !isScopeSubset(scopeSet(choice.scopes), scopeSet(listOf(current.scopes)))) {
        throw new ApiError('CONFLICT', 'The application was changed meanwhile. Begin again there.');
      }
      const { id: appId, workspaceId, name } = current;
      const until = new Date(now.getTime() + CODE_LIFETIME * 1000);
      const actsAs = { id: userId, role: session.role };
      const request = { name, description: 'What the application may do as you', environment, actsAs, lock: null };
      const grant = decideGrant(
        { ...request, needed: null, scopes: choice.scopes, projects: choice.projects, expiresAt: until },
        bound,
        policy,
      );
      await mustBeThere(unit, grant);
      await this.#endOldest(context, appId, userId);
      await keepRoom(unit, 'apps');
      const key = await tx.apiKey.create({
        data: {
          ...{ id: `key_${newId()}`, ...grant, workspaceId, appId },
          ...{ hash: `${APP_HASH}${newId()}`, prefix: tokenPrefix(environment) },
          ...{ createdById: userId, createdByKeyId: session.id },
        },
      });
      const code = generateSecret('ac', environment);
      const { redirectUri, codeChallenge } = asked;
      await tx.oauthCode.create({
        data: {
          ...{ hash: hashKey(code), workspaceId, environment, keyId: key.id },
          ...{ redirectUri, codeChallenge, expiresAt: until },
        },
      });
      const { scopes, projectIds } = grant;
      const projects = projectIds !== null && { projectIds: { to: projectIds } };
      unit.audit({
        ...aboutKey(key, 'authorize'),
        changes: { appId: { to: appId }, scopes: { to: scopes }, ...projects },
      });
      return code;
    });
  }

  /** Ends what the user allowed; again changes nothing. @throws NOT_FOUND */
  async end(actor: Actor, row: ApiKey): Promise<void> {
    await this.keys.end(actor, row, 'taken back by its user');
  }

  async #endOldest(context: KeyUnit, appId: string, actsAsId: string): Promise<void> {
    const { tx, now } = context.unit;
    const working = {
      ...KEYS,
      appId,
      actsAsId,
      revokedAt: null,
      OR: [{ expiresAt: null }, { expiresAt: { gt: now } }],
    };
    const rows = await tx.apiKey.findMany({
      where: working,
      orderBy: { id: 'desc' },
      skip: MOST_AT_ONCE - 1,
      take: 100,
    });
    if (rows.length === 0) return;
    await this.keys.endWithin(context, await withBonds(tx, rows, now), 'there were too many of it');
  }
}
