import { Command } from 'commander';
import { VERSION } from '../version.js';
import { accountsCommand } from './accounts.js';
import { backupCommand, restoreCommand } from './backup.js';
import { copyCommand } from './copy.js';
import { documentsCommand } from './documents.js';
import { healthCommand } from './health.js';
import { invitationsCommand } from './invitations.js';
import { keysCommand } from './keys/keys.js';
import { mcpCommand } from './mcp.js';
import { migrateCommand } from './migrate.js';
import type { ProcessVariables } from './processVariables.js';
import { scopesCommand } from './scopes.js';
import { serveCommand } from './serve.js';
import { tasksCommand } from './tasks.js';
import { workspacesCommand } from './workspaces.js';

export function createProgram(variables: ProcessVariables): Command {
  return new Command('taskgate')
    .description('A self-hosted GraphQL API for tasks and projects, with keys that hold no more than they need.')
    .version(VERSION)
    .exitOverride()
    .configureHelp({ showGlobalOptions: true })
    .addCommand(serveCommand(variables))
    .addCommand(migrateCommand(variables))
    .addCommand(workspacesCommand(variables))
    .addCommand(keysCommand(variables))
    .addCommand(invitationsCommand(variables))
    .addCommand(accountsCommand(variables))
    .addCommand(tasksCommand(variables))
    .addCommand(scopesCommand())
    .addCommand(documentsCommand(variables))
    .addCommand(backupCommand(variables))
    .addCommand(restoreCommand(variables))
    .addCommand(copyCommand())
    .addCommand(healthCommand(variables))
    .addCommand(mcpCommand(variables));
}
