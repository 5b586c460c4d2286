/** `taskgate workspaces`: tenants, and the plan that bounds the limits of their keys. */
import { Command } from 'commander';
import { z } from 'zod';
import type { Workspace } from '#prisma/client.js';
import { changesBetween, plainAuditRow, serverActor } from '../audit/entry.js';
import { isUniqueViolation } from '../db/databaseError.js';
import { countKeyChange } from '../db/unitOfWork.js';
import { ApiError, badInput } from '../errors.js';
import { check, MAX_RATE, text } from '../input.js';
import { createWorkspace } from '../keys/bootstrap.js';
import { ENTERPRISE, type Plans } from '../keys/plans.js';
import { printable } from './printable.js';
import type { ProcessVariables } from './processVariables.js';
import { numberOption, print, withDatabase } from './session.js';

const rules = z.object({
  name: text(1, 100),
  slug: z.string().regex(/^[a-z0-9][a-z0-9-]{0,62}$/, 'must be of small letters, digits and hyphens, at most 63'),
  'owner-email': z.email('must be an email address').max(254).toLowerCase().optional(),
  'owner-name': text(1, 100).optional(),
});

interface PlanOptions {
  readonly plan?: string;
  readonly perMinute?: number;
  readonly perHour?: number;
}

export function workspacesCommand(variables: ProcessVariables): Command {
  return new Command('workspaces')
    .description('create and list workspaces, and change their plans')
    .exitOverride()
    .addCommand(createCommand(variables))
    .addCommand(listCommand(variables))
    .addCommand(updateCommand(variables));
}

const withPlanOptions = (command: Command) =>
  command
    .option('--plan <plan>', 'the plan, whose limits are the ceiling of every key')
    .option('--per-minute <requests>', 'limit of a key a minute; enterprise plan only', numberOption)
    .option('--per-hour <requests>', 'limit of a key an hour; enterprise plan only', numberOption)
    .option('--json', 'print JSON')
    .exitOverride();

function createCommand(variables: ProcessVariables): Command {
  return withPlanOptions(new Command('create'))
    .description('make a workspace with its owner and first admin key, which is shown once')
    .requiredOption('--name <name>', 'what people call it')
    .requiredOption('--slug <slug>', 'what commands call it')
    .option('--owner-email <email>')
    .option('--owner-name <name>')
    .action(async ({ name, slug, ownerEmail, ownerName, json, ...options }) =>
      withDatabase(variables, true, async ({ database, config }) => {
        const input = check(rules, { name, slug, 'owner-email': ownerEmail, 'owner-name': ownerName });
        const planned = planOf(
          { plan: config.defaultPlan, ratePerMinute: null, ratePerHour: null },
          options,
          config.plans,
        );
        const owner = {
          email: input['owner-email'] ?? 'owner@taskgate.local',
          name: input['owner-name'] ?? 'Owner',
        };
        const made = await createWorkspace(database.system, { name: input.name, slug, ...planned, owner }).catch(
          (error: unknown) => {
            if (isUniqueViolation(error)) throw new ApiError('CONFLICT', `There is a workspace ${slug} already.`);
            throw error;
          },
        );
        if (json) return print({ ...present(made.workspace, config.plans), keyId: made.keyId, key: made.key });
        process.stdout.write(
          `Workspace ${slug} (${made.workspace.id}; plan ${made.workspace.plan}).\n` +
            `Its first admin key is shown once; keep it in a safe place:\n\n  ${made.key}\n\n`,
        );
      }),
    );
}

function listCommand(variables: ProcessVariables): Command {
  return new Command('list')
    .description('list workspaces with their plans, oldest first')
    .option('--json', 'print JSON')
    .exitOverride()
    .action(async ({ json }: { json?: boolean }) =>
      withDatabase(variables, false, async ({ database, config }) => {
        const rows = await database.system.workspace.findMany({ orderBy: [{ createdAt: 'asc' }, { id: 'asc' }] });
        const shown = rows.map((row) => present(row, config.plans));
        if (json) return print(shown);
        for (const { slug, name, plan, perMinute, perHour } of shown) {
          const limits = `${perMinute} a minute, ${perHour ?? 'no limit'} an hour`;
          process.stdout.write(`${slug.padEnd(20)} ${plan.padEnd(12)} ${limits.padEnd(34)} ${printable(name)}\n`);
        }
      }),
    );
}

function updateCommand(variables: ProcessVariables): Command {
  return withPlanOptions(new Command('update'))
    .description('change the name or the plan of a workspace; running servers follow within a second')
    .argument('<slug>', 'which workspace')
    .option('--name <name>')
    .action(async (slug: string, { name, json, ...options }) =>
      withDatabase(variables, false, async ({ database: { system }, config }) => {
        const updated = await system.$transaction(async (tx) => {
          const before = await tx.workspace.findUnique({ where: { slug } });
          if (!before) throw new ApiError('NOT_FOUND', `No workspace ${JSON.stringify(slug)}.`);
          const data = {
            ...(name !== undefined && check(rules.pick({ name: true }), { name })),
            ...planOf(before, options, config.plans),
          };
          const after = await tx.workspace.update({ where: { slug }, data });
          const actor = serverActor({ workspaceId: before.id, environment: 'LIVE' }, 'taskgate command line');
          const entry = { action: 'workspace.update', targetType: 'Workspace', targetId: before.id };
          const changes = changesBetween(before, data);
          await tx.auditEvent.create({ data: plainAuditRow(actor, { ...entry, changes }, new Date()) });
          // What servers remember of keys has the plan in it.
          await countKeyChange(tx);
          return after;
        });
        if (json) print(present(updated, config.plans));
        else process.stdout.write(`Workspace ${slug} is changed.\n`);
      }),
    );
}

/** @throws BAD_USER_INPUT for a plan that is none, and for numbers where the plan has its own */
function planOf(before: Pick<Workspace, 'plan' | 'ratePerMinute' | 'ratePerHour'>, options: PlanOptions, plans: Plans) {
  const plan = options.plan ?? before.plan;
  if (options.plan !== undefined && !plans.has(options.plan)) {
    throw badInput({ '--plan': [`must be one of ${plans.names.join(', ')}`] });
  }
  const { perMinute, perHour } = options;
  for (const [name, value] of Object.entries({ '--per-minute': perMinute, '--per-hour': perHour })) {
    if (value === undefined) continue;
    if (plan !== ENTERPRISE) throw badInput({ [name]: [`takes the plan ${ENTERPRISE}`] });
    if (value < 1 || value > MAX_RATE) throw badInput({ [name]: [`must be from 1 to ${MAX_RATE}`] });
  }
  if (plan !== ENTERPRISE) return { plan, ratePerMinute: null, ratePerHour: null };
  return { plan, ratePerMinute: perMinute ?? before.ratePerMinute, ratePerHour: perHour ?? before.ratePerHour };
}

function present(row: Workspace, plans: Plans) {
  const { perMinute, perHour } = plans.of(row);
  return { id: row.id, slug: row.slug, name: row.name, plan: row.plan, perMinute, perHour, createdAt: row.createdAt };
}
