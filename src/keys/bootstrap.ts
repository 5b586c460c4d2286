/** A workspace with its owner in both environments and its first admin key: on the first run, or at the operator's command. */
import type { PrismaClient, Workspace } from '#prisma/client.js';
import { plainAuditRow, serverActor } from '../audit/entry.js';
import type { Database } from '../db/database.js';
import { isUniqueViolation } from '../db/databaseError.js';
import { newRow } from './apiKeyService.js';
import { generateKey } from './format.js';

export const DEFAULT_WORKSPACE = 'default';
const OWNER = { email: 'owner@taskgate.local', name: 'Owner' };

export interface NewWorkspace {
  readonly name: string;
  readonly slug: string;
  readonly plan: string;
  readonly ratePerMinute?: number | null;
  readonly ratePerHour?: number | null;
  readonly owner?: { readonly email: string; readonly name: string };
}

export interface MadeWorkspace {
  readonly workspace: Workspace;
  readonly keyId: string;
  /** The first admin key. Shown once, stored nowhere. */
  readonly key: string;
}

/** @param personId who signs in as the owner */
export async function addWorkspace(
  tx: Pick<PrismaClient, 'workspace' | 'user'>,
  data: Omit<NewWorkspace, 'owner'>,
  owner: { readonly email: string; readonly name: string; readonly personId?: string },
) {
  const workspace = await tx.workspace.create({ data });
  const { email, name } = owner;
  const tenant = { workspaceId: workspace.id, role: 'OWNER' as const };
  const live = await tx.user.create({ data: { ...owner, ...tenant, environment: 'LIVE' } });
  await tx.user.create({ data: { email, name, ...tenant, environment: 'TEST' } });
  return { workspace, owner: live };
}

/** @throws Prisma's P2002 when the slug is taken */
export async function createWorkspace(
  system: PrismaClient,
  { owner = OWNER, ...data }: NewWorkspace,
  key: string = generateKey('LIVE'),
): Promise<MadeWorkspace> {
  return system.$transaction(async (tx) => {
    const { workspace, owner: user } = await addWorkspace(tx, data, owner);
    const actor = {
      ...serverActor({ workspaceId: workspace.id, environment: 'LIVE' }, 'taskgate command line'),
      userId: user.id,
    };
    const row = await tx.apiKey.create({
      data: newRow(
        key,
        {
          name: 'First admin key',
          description: 'Made with the workspace',
          scopes: 'admin:*',
          projectIds: null,
          actsAsId: null,
          isLocked: false,
          environment: 'LIVE',
          expiresAt: null,
          autoRenew: false,
          termSeconds: null,
          allowedIps: null,
          ratePerMinute: null,
          ratePerHour: null,
        },
        actor,
      ),
    });
    const entry = { action: 'api_key.create', targetType: 'ApiKey', targetId: row.id };
    await tx.auditEvent.create({ data: plainAuditRow(actor, entry, new Date()) });
    return { workspace, keyId: row.id, key };
  });
}

/**
 * Does nothing once there is a key. Safe to run in several processes at once: the workspace's unique slug lets one win.
 * @returns the generated key, to be shown once; undefined when there was one already or the operator gave it
 */
export async function bootstrap(
  { system }: Database,
  config: { readonly bootstrapKey?: string | undefined; readonly defaultPlan: string },
): Promise<string | undefined> {
  if ((await system.apiKey.findFirst({ select: { id: true } })) !== null) return undefined;
  try {
    const first = { name: 'Default workspace', slug: DEFAULT_WORKSPACE, plan: config.defaultPlan };
    const { key } = await createWorkspace(system, first, config.bootstrapKey);
    return config.bootstrapKey === undefined ? key : undefined;
  } catch (error) {
    // Another process was first.
    if (isUniqueViolation(error)) return undefined;
    throw error;
  }
}
