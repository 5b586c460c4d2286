/** `taskgate keys grants`: scopes that keys asked for, for a while. */
import { Command } from 'commander';
import type { ScopeGrant } from '#prisma/client.js';
import { notFound } from '../../errors.js';
import { listOf } from '../../keys/authority.js';
import { DEFAULT_WORKSPACE } from '../../keys/bootstrap.js';
import { grantStatus } from '../../keys/scopeGrants.js';
import { printable } from '../printable.js';
import type { ProcessVariables } from '../processVariables.js';
import { environmentOption, numberOption, print, type WorkspaceSession, withWorkspace } from '../session.js';

const MOST_LISTED = 200;

export function grantsCommand(variables: ProcessVariables): Command {
  const command = new Command('grants').description('scopes that keys asked for, for a while').exitOverride();
  command.addCommand(
    new Command('list')
      .description('the latest first; pending ones wait for a decision')
      .option('--environment <environment>', 'live or test', environmentOption, 'LIVE')
      .option('--workspace <slug>', 'whose keys', DEFAULT_WORKSPACE)
      .option('--json', 'print JSON')
      .exitOverride()
      .action(async ({ environment, workspace, json }) =>
        withWorkspace(variables, workspace, false, async ({ database, actor }) => {
          const db = database.forTenant(actor(environment));
          const grants = await db.scopeGrant.findMany({ orderBy: { createdAt: 'desc' }, take: MOST_LISTED });
          if (json) return print(grants.map(shown));
          for (const grant of grants) process.stdout.write(written(grant));
          if (grants.length === 0) process.stdout.write('Nobody asked for scopes.\n');
        }),
      ),
  );
  const decide = (
    name: string,
    description: string,
    run: (session: Decision, id: string, options: { minutes?: number }) => Promise<ScopeGrant>,
  ) =>
    new Command(name)
      .description(description)
      .argument('<id>', 'the id of the grant')
      .option('--workspace <slug>', 'whose key it is', DEFAULT_WORKSPACE)
      .option('--json', 'print JSON')
      .exitOverride()
      .action(async (id: string, { workspace: slug, json, ...options }) =>
        withWorkspace(variables, slug, false, async (session) => {
          const row = await session.database.system.scopeGrant.findUnique({ where: { id } });
          if (!row || row.workspaceId !== session.workspace.id) throw notFound('scope grant', id);
          const grant = await run({ ...session, actor: session.actor(row.environment) }, id, options);
          if (json) print(shown(grant));
          else process.stdout.write(written(grant));
        }),
      );
  command.addCommand(
    decide('approve', 'give the key what it asked for, from now on', ({ scopeGrants, actor }, id, { minutes }) =>
      scopeGrants.approve(actor, 'operator', id, minutes),
    ).option('--minutes <number>', 'fewer than were asked for', numberOption),
  );
  command.addCommand(
    decide('deny', 'refuse it', ({ scopeGrants, actor }, id) => scopeGrants.deny(actor, 'operator', id)),
  );
  command.addCommand(
    decide('end', 'take it back, at once', ({ scopeGrants, actor }, id) => scopeGrants.end(actor, 'operator', id)),
  );
  return command;
}

type Decision = Omit<WorkspaceSession, 'actor'> & { readonly actor: ReturnType<WorkspaceSession['actor']> };

const shown = ({ id, keyId, scopes, reason, minutes, createdAt, endsAt, ...grant }: ScopeGrant) => ({
  ...{ id, keyId, scopes: listOf(scopes), reason, minutes, createdAt, endsAt },
  status: grantStatus({ ...grant, createdAt, endsAt }, new Date()).toLowerCase(),
});

function written(grant: ScopeGrant): string {
  const { id, keyId, scopes, reason, minutes, status } = shown(grant);
  return `${id}  ${status.padEnd(8)} ${keyId}  ${scopes.join(' ')}  ${minutes} min  ${printable(reason)}\n`;
}
