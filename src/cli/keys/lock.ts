/** `taskgate keys lock`: a new version of the operations that a key runs. */
import { Command } from 'commander';
import { ApiError } from '../../errors.js';
import { DEFAULT_GRACE } from '../../keys/apiKeyService.js';
import { DEFAULT_WORKSPACE } from '../../keys/bootstrap.js';
import type { SetDifference } from '../../keys/operationSets.js';
import type { ProcessVariables } from '../processVariables.js';
import { numberOption, print } from '../session.js';
import { hasSources, readSources, SOURCES, sourceOptions } from '../sources/keyOperations.js';
import { present, withKey } from './show.js';

export function lockCommand(variables: ProcessVariables): Command {
  const command = new Command('lock')
    .description('lock a key to operations, or give a locked one a new version of them; says what changes')
    .argument('<id>', 'the id of the key, key_...')
    .option('--grace-period <seconds>', 'how long the operations before run on', numberOption, DEFAULT_GRACE)
    .option('--dry-run', 'say what would change, and change nothing')
    .option('--workspace <slug>', 'whose key it is', DEFAULT_WORKSPACE)
    .option('--json', 'print JSON')
    .exitOverride();
  return sourceOptions(command).action(async (id: string, { workspace, json, dryRun, gracePeriod, ...options }) => {
    if (!hasSources(options)) command.error(`error: name the operations: ${SOURCES}`);
    await withKey(variables, workspace, id, async ({ operationSets, actor, row }) => {
      const { operations, unknown } = await readSources(options);
      if (unknown.length > 0)
        throw new ApiError(
          'BAD_USER_INPUT',
          `Not known by its text: ${unknown.join(', ')}. Add the documents by --from.`,
        );
      const wasLocked = row.isLocked;
      const rest =
        wasLocked && gracePeriod > 0 ? `; those before for ${gracePeriod} more seconds, with their scopes` : '';
      const settings = { gracePeriod, dryRun: dryRun === true };
      const { apiKey, difference, applied } = await operationSets.set(actor, 'operator', id, operations, settings);
      if (json) return print({ ...present(apiKey), applied, difference });
      process.stdout.write(
        `${written(difference)}${applied ? `Key ${id} runs these${wasLocked ? '' : ' alone'} from now on${rest}.` : 'Nothing was changed.'}\n`,
      );
    });
  });
}

const pin = (value: unknown) => (value === undefined ? 'any' : JSON.stringify(value));

function written({ added, removed, kept, addedScopes, removedScopes, pins }: SetDifference): string {
  const changed = added.filter(({ name }) => removed.some((other) => other.name === name)).map(({ name }) => name);
  const isNew = ({ name }: { name: string }) => !changed.includes(name);
  const lines = [
    ...changed.map((name) => `~ ${name}`),
    ...added.filter(isNew).map(({ name }) => `+ ${name}`),
    ...removed.filter(isNew).map(({ name }) => `- ${name}`),
    ...pins.map(({ operation, variable, from, to }) => `~ ${operation}: ${variable} ${pin(from)} -> ${pin(to)}`),
    ...addedScopes.map((scope) => `+ scope ${scope}`),
    ...removedScopes.map((scope) => `- scope ${scope}`),
    `  ${kept} unchanged`,
  ];
  return `${lines.join('\n')}\n`;
}
