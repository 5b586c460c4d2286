/** `taskgate accounts`: what the operator does for people who cannot sign in. */
import { randomBytes } from 'node:crypto';
import { Command } from 'commander';
import { ApiError } from '../errors.js';
import { printable } from './printable.js';
import type { ProcessVariables } from './processVariables.js';
import { print, withDatabase } from './session.js';

export function accountsCommand(variables: ProcessVariables): Command {
  const command = new Command('accounts').description('accounts of people, by which they sign in').exitOverride();
  command.addCommand(
    new Command('reset-password')
      .description('give an account a new password, shown once; its sessions end, and its passkeys are removed')
      .argument('<email>', 'whose account')
      .option('--json', 'print JSON')
      .exitOverride()
      .action(async (email: string, { json }: { json?: boolean }) =>
        withDatabase(variables, false, async ({ database: { system } }) => {
          const person = await system.person.findUnique({ where: { email: email.trim().toLowerCase() } });
          if (!person)
            throw new ApiError('NOT_FOUND', `Nobody has an account with the email ${JSON.stringify(email)}.`);
          const { hashPassword } = await import('better-auth/crypto');
          const password = randomBytes(15).toString('base64url');
          const stored = await hashPassword(password);
          await system.$transaction([
            system.signInMethod.updateMany({
              where: { userId: person.id, providerId: 'credential' },
              data: { password: stored },
            }),
            system.signInSession.deleteMany({ where: { userId: person.id } }),
            system.passkey.deleteMany({ where: { userId: person.id } }),
          ]);
          if (json) return print({ email: person.email, password });
          process.stdout.write(`The password of ${printable(person.email)}, shown once:\n\n  ${password}\n\n`);
        }),
      ),
  );
  return command;
}
