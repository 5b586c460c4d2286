/** Applications of others that users may let act as them: registering, changing and removing them, each change as one unit of work. */
import { z } from 'zod';
import type { OauthApp } from '#prisma/client.js';
import { type Actor, changesBetween } from '../audit/entry.js';
import { nextVersion, type Unit } from '../db/unitOfWork.js';
import { ApiError, badInput, notFound } from '../errors.js';
import { newId } from '../ids.js';
import { check, expectVersion, given, required, text } from '../input.js';
import type { ApiKeyService } from '../keys/apiKeyService.js';
import { listOf, type StoredKey } from '../keys/authority.js';
import { changeKey, type Remember } from '../keys/changeKey.js';
import { generateSecret, hashKey } from '../keys/format.js';
import type { Caller, KeyUnit } from '../keys/keyUnit.js';
import { withBonds } from '../keys/storedKeys.js';
import { GRANTABLE, isScopeSubset, narrowed, parseGrants, type Scope, scopeSet } from '../scopes/scope.js';
import { redirectUriProblem } from './redirectUri.js';

/** Of a workspace. */
const MOST_APPS = 200;
const MOST_URIS = 10;
const BATCH = 500;

/** By these an application would make what outlasts its access: other keys, users who sign in, webhooks. */
const KEPT_FROM_APPS: ReadonlySet<Scope> = new Set([
  ...(['admin:*', 'keys:write', 'keys:delete'] as const),
  ...(['users:write', 'users:delete', 'webhooks:write'] as const),
]);

/** The scopes that an application may be registered for. */
export const APP_SCOPES: readonly string[] = GRANTABLE.filter((grant) =>
  [...scopeSet([grant])].every((scope) => !KEPT_FROM_APPS.has(scope)),
);

/** What would show a name as another one: control characters, and those that turn the direction of the text. */
const ODD = /[\p{Cc}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/u;

const fields = z.object({
  name: required(text(1, 80).refine((name) => !ODD.test(name), 'must have no control characters')),
  description: text(0, 300)
    .refine((words) => !ODD.test(words), 'must have no control characters')
    .nullish(),
  redirectUris: required(
    z.array(z.string()).min(1, 'must not be empty').max(MOST_URIS, `must have at most ${MOST_URIS} entries`),
  ),
  scopes: required(z.array(z.string()).min(1, 'must not be empty').max(50, 'must have at most 50 entries')),
});

type Given = { [K in keyof z.output<typeof fields>]?: z.output<typeof fields>[K] | undefined };
type KeptColumns = Pick<OauthApp, 'name' | 'description' | 'redirectUris' | 'scopes'>;

interface AppInput {
  readonly name: string;
  readonly description?: string | null | undefined;
  readonly redirectUris: readonly string[];
  readonly scopes: readonly string[];
}

export interface RegisteredApp {
  readonly id: string;
  /** Shown once, stored nowhere; null: it keeps none. */
  readonly clientSecret: string | null;
}

export class AppService {
  constructor(
    private readonly keys: ApiKeyService,
    private readonly remember: Remember,
  ) {}

  /**
   * @param isConfidential whether it keeps a secret, as one on a server can
   * @throws BAD_USER_INPUT, CONFLICT where the workspace has as many as it may
   */
  async create(actor: Actor, caller: Caller, input: AppInput, isConfidential: boolean): Promise<RegisteredApp> {
    const columns = columnsOf(check(fields, input)) as KeptColumns;
    return this.keys.units.look(actor, caller, async ({ unit }) => {
      const tenant = { workspaceId: actor.workspaceId, environment: actor.environment };
      if ((await unit.tx.oauthApp.count({ where: tenant })) >= MOST_APPS) {
        throw new ApiError('CONFLICT', `There are ${MOST_APPS} applications. Delete some that nobody uses.`);
      }
      const clientSecret = isConfidential ? generateSecret('cs', actor.environment) : null;
      const app = await unit.tx.oauthApp.create({
        data: {
          ...{ id: `app_${newId()}`, ...tenant, ...columns, createdAt: unit.now, updatedAt: unit.now },
          secretHash: clientSecret === null ? null : hashKey(clientSecret),
          ...{ createdById: actor.userId, createdByKeyId: actor.keyId },
        },
      });
      unit.audit({ ...aboutApp(app, 'create'), changes: changesBetween({}, { ...columns, isConfidential }) });
      return { id: app.id, clientSecret };
    });
  }

  /**
   * What it may not ask for any more, the access that it has loses too.
   * @throws NOT_FOUND, BAD_USER_INPUT; CONFLICT when it was changed since
   */
  async update(
    actor: Actor,
    caller: Caller,
    id: string,
    change: Partial<AppInput>,
    expected?: Date | null,
  ): Promise<{ id: string }> {
    const data = columnsOf(check(fields.partial(), given(change)));
    const rewrite = async (context: KeyUnit) => {
      const { unit } = context;
      const before = await findApp(unit, actor, id);
      expectVersion(before, expected);
      const after = await unit.tx.oauthApp.update({
        where: { id },
        data: { ...data, updatedAt: nextVersion(before, unit.now) },
      });
      unit.audit({ ...aboutApp(before, 'update'), changes: changesBetween(before, data) });
      await this.#narrow(context, after);
      return { id };
    };
    return this.keys.units.run(actor, caller, rewrite, true);
  }

  /** A new secret; the one before opens nothing any more. @throws NOT_FOUND, CONFLICT for one that keeps none */
  async rotateSecret(actor: Actor, caller: Caller, id: string): Promise<RegisteredApp> {
    return this.keys.units.look(actor, caller, async ({ unit }) => {
      const app = await findApp(unit, actor, id);
      if (app.secretHash === null) throw new ApiError('CONFLICT', 'The application keeps no secret.');
      const clientSecret = generateSecret('cs', app.environment);
      const data = { secretHash: hashKey(clientSecret), updatedAt: nextVersion(app, unit.now) };
      await unit.tx.oauthApp.update({ where: { id }, data });
      unit.audit(aboutApp(app, 'rotate_secret'));
      return { id, clientSecret };
    });
  }

  /** With all access that users gave it. @returns how many of them @throws NOT_FOUND */
  async delete(actor: Actor, caller: Caller, id: string): Promise<{ id: string; ended: number }> {
    const end = async (context: KeyUnit) => {
      const { unit } = context;
      const app = await findApp(unit, actor, id);
      const ended = await this.keys.endWithin(context, await accessOf(unit, app), 'its application was deleted');
      await unit.tx.oauthApp.delete({ where: { id } });
      unit.audit({ ...aboutApp(app, 'delete'), changes: { name: { from: app.name } } });
      return { id, ended };
    };
    return this.keys.units.run(actor, caller, end, true);
  }

  async #narrow(context: KeyUnit, app: OauthApp): Promise<void> {
    const most = listOf(app.scopes);
    for (const key of await accessOf(context.unit, app)) {
      const held = listOf(key.scopes);
      if (isScopeSubset(scopeSet(held), scopeSet(most))) continue;
      await changeKey({ ...context, bound: 'operator' }, key, { scopes: narrowed(held, most) }, this.remember);
    }
  }
}

/** What users gave it and what still works, in batches of all. */
async function accessOf({ tx, now }: Unit, { id }: OauthApp): Promise<StoredKey[]> {
  const found: StoredKey[] = [];
  for (let after = ''; ; ) {
    const rows = await tx.apiKey.findMany({
      where: {
        ...{ appId: id, revokedAt: null, id: { gt: after } },
        OR: [{ expiresAt: null }, { expiresAt: { gt: now } }],
      },
      orderBy: { id: 'asc' },
      take: BATCH,
    });
    found.push(...(await withBonds(tx, rows, now)));
    after = rows.at(-1)?.id ?? '';
    if (rows.length < BATCH) return found;
  }
}

async function findApp({ tx }: Unit, { environment }: Actor, id: string): Promise<OauthApp> {
  const app = await tx.oauthApp.findFirst({ where: { id, environment } });
  if (!app) throw notFound('application', id);
  return app;
}

/** What is given, as columns. @throws BAD_USER_INPUT */
function columnsOf({ redirectUris, scopes, description, ...data }: Given) {
  const problems = (redirectUris ?? []).flatMap((uri) => {
    const problem = redirectUriProblem(uri);
    return problem === undefined ? [] : [`has ${JSON.stringify(uri.slice(0, 200))}, which ${problem}`];
  });
  if (problems.length > 0) throw badInput({ redirectUris: problems });
  const beyond = (scopes ? parseGrants(scopes) : []).filter((scope) => !APP_SCOPES.includes(scope));
  if (beyond.length > 0) {
    throw badInput({ scopes: [`has ${beyond.join(', ')}, by which an application could outlast its access`] });
  }
  return {
    ...given(data),
    ...(description !== undefined && { description: description || null }),
    ...(redirectUris && { redirectUris: [...new Set(redirectUris)].join(' ') }),
    ...(scopes && { scopes: [...new Set(scopes)].join(' ') }),
  };
}

const aboutApp = ({ id, environment }: OauthApp, verb: string) => ({
  ...{ action: `oauth_app.${verb}`, targetType: 'OauthApp', targetId: id, environment },
});
