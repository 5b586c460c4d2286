import { Command } from 'commander';
import { VERSION } from '../version.js';
import { backupCommand, restoreCommand } from './backup.js';
import { copyCommand } from './copy.js';
import { documentsCommand } from './documents.js';
import { healthCommand } from './health.js';
import { keysCommand } from './keys.js';
import { migrateCommand } from './migrate.js';
import { scopesCommand } from './scopes.js';
import { serveCommand } from './serve.js';
import { workspacesCommand } from './workspaces.js';

export type Environment = Readonly<Record<string, string | undefined>>;

export function createProgram(environment: Environment): Command {
  return new Command('taskgate')
    .description('A self-hosted GraphQL API for tasks and projects, with keys that hold no more than they need.')
    .version(VERSION)
    .exitOverride()
    .configureHelp({ showGlobalOptions: true })
    .addCommand(serveCommand(environment))
    .addCommand(migrateCommand(environment))
    .addCommand(workspacesCommand(environment))
    .addCommand(keysCommand(environment))
    .addCommand(scopesCommand())
    .addCommand(documentsCommand(environment))
    .addCommand(backupCommand(environment))
    .addCommand(restoreCommand(environment))
    .addCommand(copyCommand())
    .addCommand(healthCommand(environment));
}
