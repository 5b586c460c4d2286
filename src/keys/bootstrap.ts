/** The first run: a workspace, its owner in both environments, and the first admin key. */
import type { Config } from '../config.js';
import type { Database } from '../db/database.js';
import { recordAudit } from '../events/audit.js';
import { generateKey } from './format.js';
import { newRow } from './keys.js';

export const DEFAULT_WORKSPACE = 'default';
const OWNER = { email: 'owner@taskgate.local', name: 'Owner', role: 'OWNER' } as const;

/**
 * Does nothing once there is a key. Safe to run in several processes at once: the workspace's unique slug lets one win.
 * @returns the generated key, to be shown once; undefined when there was one already or the operator gave it
 */
export async function bootstrap(
  database: Database,
  config: Pick<Config, 'bootstrapKey' | 'defaultPlan'>,
): Promise<string | undefined> {
  const { system } = database;
  if ((await system.apiKey.findFirst({ select: { id: true } })) !== null) return undefined;
  const key = config.bootstrapKey ?? generateKey('LIVE');
  try {
    await system.$transaction(async (tx) => {
      const workspace = await tx.workspace.create({
        data: { name: 'Default workspace', slug: DEFAULT_WORKSPACE, plan: config.defaultPlan },
      });
      const owner = await tx.user.create({ data: { ...OWNER, workspaceId: workspace.id, environment: 'LIVE' } });
      await tx.user.create({ data: { ...OWNER, workspaceId: workspace.id, environment: 'TEST' } });
      const actor = {
        workspaceId: workspace.id,
        environment: 'LIVE' as const,
        keyId: null,
        userId: owner.id,
        ip: null,
        userAgent: null,
        requestId: null,
      };
      const row = await tx.apiKey.create({
        data: newRow(
          key,
          {
            name: 'First admin key',
            description: 'Made on the first run',
            scopes: ['admin:*'],
            environment: 'LIVE',
            expiresAt: null,
            autoRenew: false,
            allowedIps: null,
            ratePerMinute: null,
            ratePerHour: null,
          },
          actor,
        ),
      });
      await recordAudit(tx as never, actor, { action: 'api_key.create', targetType: 'ApiKey', targetId: row.id });
    });
  } catch (error) {
    // Another process was first.
    if ((error as { code?: unknown }).code === 'P2002') return undefined;
    throw error;
  }
  return config.bootstrapKey === undefined ? key : undefined;
}
