/** `taskgate invitations`: letting people into the dashboard, by the operator's right: the way back where no owner can sign in. */
import { Command, Option } from 'commander';
import { InvitationService } from '../accounts/invitationService.js';
import { DEFAULT_WORKSPACE } from '../keys/bootstrap.js';
import { ROLE_GRANTS, type RoleName } from '../scopes/roles.js';
import { localAddress } from './address.js';
import type { ProcessVariables } from './processVariables.js';
import { print, withWorkspace } from './session.js';

export function invitationsCommand(variables: ProcessVariables): Command {
  const command = new Command('invitations').description('let people sign in to the dashboard').exitOverride();
  command.addCommand(
    new Command('create')
      .description(
        'print a link by which somebody makes an account, or comes into the workspace with the one they have',
      )
      .requiredOption('--email <email>', 'for whom it is')
      .addOption(
        new Option('--role <role>', 'what they may do')
          .choices(Object.keys(ROLE_GRANTS).map((role) => role.toLowerCase()))
          .default('member'),
      )
      .option('--workspace <slug>', 'into which workspace', DEFAULT_WORKSPACE)
      .option('--url <url>', 'where people reach the server; by default PUBLIC_URL, or HOST and PORT')
      .option('--json', 'print JSON')
      .exitOverride()
      .action(async ({ email, role, workspace, url, json }) =>
        withWorkspace(variables, workspace, true, async ({ config, units, actor }) => {
          const invitations = new InvitationService(units, config.plans);
          const input = { email, role: role.toUpperCase() as RoleName };
          const { id, token } = await invitations.invite(actor('LIVE'), 'operator', input);
          const origin =
            (url ?? config.publicUrl)?.replace(/\/+$/, '') ??
            `${config.tls ? 'https' : 'http'}://${localAddress(config.host)}:${config.port}`;
          const link = `${origin}/invitation#${token}`;
          if (json) return print({ id, email, role: input.role, link });
          process.stdout.write(`For ${email}, as ${role}, once and within a week:\n\n  ${link}\n\n`);
        }),
      ),
  );
  return command;
}
