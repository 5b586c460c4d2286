/** `taskgate keys`: thin over src/keys. Works on the database itself, with the operator's rights. */
import { Command } from 'commander';
import type { ProcessVariables } from '../processVariables.js';
import { auditCommand, loosenCommand, tightenCommand } from './audit.js';
import { revokeCommand, rotateCommand, updateCommand } from './change.js';
import { createCommand } from './create.js';
import { diffCommand } from './diff.js';
import { grantsCommand } from './grants.js';
import { lockCommand } from './lock.js';
import { scanCommand } from './scan.js';
import { listCommand, showCommand } from './show.js';

export function keysCommand(variables: ProcessVariables): Command {
  return new Command('keys')
    .description('create, show, change, rotate, revoke and review API keys, and find them in files')
    .exitOverride()
    .addCommand(createCommand(variables))
    .addCommand(listCommand(variables))
    .addCommand(showCommand(variables))
    .addCommand(updateCommand(variables))
    .addCommand(lockCommand(variables))
    .addCommand(rotateCommand(variables))
    .addCommand(revokeCommand(variables))
    .addCommand(auditCommand(variables))
    .addCommand(tightenCommand(variables))
    .addCommand(loosenCommand(variables))
    .addCommand(diffCommand(variables))
    .addCommand(grantsCommand(variables))
    .addCommand(scanCommand(variables));
}
