/** What is done to a key: each a button, with the dialog that says what will become of it. */
import { Alert, Button, Group, Select, Stack, Text, TextInput } from '@mantine/core';
import { useState } from 'react';
import { Link } from 'react-router';
import { graphql } from '../graphql.ts';
import type { ApiKey } from './apiKey.ts';
import { Bars, counted } from './bars.tsx';
import { Confirm } from './confirm.tsx';
import { Copyable } from './copy.tsx';
import { Dialog } from './dialog.tsx';
import { Scopes } from './scopes.tsx';
import { Failure, Loading } from './states.tsx';
import { relative } from './time.tsx';
import { useChange } from './useChange.ts';

const RENAME = graphql(`
  mutation RenameKey($input: UpdateApiKeyInput!) { updateApiKey(input: $input) { apiKey { id name description updatedAt } } }
`);
const TIGHTEN = graphql(`
  mutation TightenKey($input: TightenApiKeyInput!) {
    tightenApiKey(input: $input) {
      applied
      before { scopes projects }
      after { scopes projects }
      apiKey { id scopes unusedScopes }
    }
  }
`);
const LOOSEN = graphql(`
  mutation LoosenKey($input: LoosenApiKeyInput!) { loosenApiKey(input: $input) { apiKey { id scopes } } }
`);
const ROTATE = graphql(`
  mutation RotateKey($input: RotateApiKeyInput!) { rotateApiKey(input: $input) { key apiKey { id } } }
`);
const REVOKE = graphql(`
  mutation RevokeKey($input: RevokeApiKeyInput!) { revokeApiKey(input: $input) { apiKey { id status revokedAt } } }
`);

type Reload = () => void;

export function Rename({ apiKey, onDone }: { apiKey: ApiKey; onDone: Reload }) {
  const [opened, setOpened] = useState(false);
  const [name, setName] = useState(apiKey.name);
  const [description, setDescription] = useState(apiKey.description ?? '');
  const change = useChange(RENAME);
  const save = async () => {
    const { id, updatedAt } = apiKey;
    const done = await change.run({ input: { id, name, description, expectedUpdatedAt: updatedAt } });
    if (!done) return;
    setOpened(false);
    onDone();
  };
  return (
    <>
      <Button variant="default" onClick={() => setOpened(true)}>
        Rename
      </Button>
      <Dialog opened={opened} onClose={() => setOpened(false)} title="Rename the key">
        <form
          onSubmit={(event) => {
            event.preventDefault();
            void save();
          }}
        >
          <Stack>
            {change.error && <Failure title="It was not renamed" error={change.error} />}
            <TextInput label="Name" value={name} onChange={({ currentTarget }) => setName(currentTarget.value)} />
            <TextInput
              label="Description"
              value={description}
              onChange={({ currentTarget }) => setDescription(currentTarget.value)}
            />
            <Group justify="flex-end">
              <Button type="submit" loading={change.isRunning}>
                Save
              </Button>
            </Group>
          </Stack>
        </form>
      </Dialog>
    </>
  );
}

interface Bounds {
  readonly scopes: readonly string[];
  readonly projects?: readonly string[] | null;
}
interface Proposal {
  readonly before: Bounds;
  readonly after: Bounds;
}

const isOther = ({ before, after }: Proposal) =>
  before.scopes.join() !== after.scopes.join() || before.projects?.join() !== after.projects?.join();

/** What becomes of its projects, where that changes. */
function keptProjects({ before, after }: Proposal): string | undefined {
  if (!after.projects || before.projects?.join() === after.projects.join()) return undefined;
  const kept = after.projects.length === 1 ? 'the one project' : `the ${after.projects.length} projects`;
  return `It keeps ${kept} that it used, of ${before.projects ? `${before.projects.length}` : 'all'}.`;
}

/**
 * Shows what would be taken before it is: what the server proposes, which can be undone; of a key that is too young for a proposal,
 * what it has not used so far.
 */
export function Tighten({ apiKey, onDone }: { apiKey: ApiKey; onDone: Reload }) {
  const [opened, setOpened] = useState(false);
  const [proposed, setProposed] = useState<Proposal>();
  const tighten = useChange(TIGHTEN);
  const update = useChange(RENAME);
  const { id, updatedAt: expectedUpdatedAt, scopes, unusedScopes } = apiKey;
  const { after: kept } = proposed ?? {};
  const isYoung = proposed !== undefined && !isOther(proposed);
  const isNothing = isYoung && unusedScopes.length === 0;
  const used = scopes.filter((scope) => !unusedScopes.includes(scope));
  const look = async () => {
    setOpened(true);
    setProposed(undefined);
    const result = await tighten.run({ input: { id, dryRun: true } });
    setProposed(result?.tightenApiKey ?? undefined);
  };
  const apply = async () => {
    const done = isYoung
      ? await update.run({ input: { id, scopes: used, expectedUpdatedAt } })
      : await tighten.run({ input: { id, expectedUpdatedAt } });
    if (!done) return;
    setOpened(false);
    onDone();
  };
  return (
    <>
      <Button size="xs" onClick={() => void look()}>
        Tighten
      </Button>
      <Confirm
        title="Remove unused permissions?"
        action="Tighten"
        opened={opened}
        isRunning={tighten.isRunning || update.isRunning}
        isDisabled={proposed === undefined || isNothing}
        error={tighten.error ?? update.error}
        onClose={() => setOpened(false)}
        onConfirm={() => void apply()}
      >
        {proposed === undefined || kept === undefined ? (
          !tighten.error && <Loading />
        ) : isNothing ? (
          <Text size="sm">There is nothing to take: as far as its use says, it needs all that it holds.</Text>
        ) : (
          <Stack gap="xs">
            <Text size="sm">
              {isYoung
                ? `It was made ${relative(apiKey.createdAt)}, and ${counted(apiKey.usage.total, 'request')} say little of what it will use. It would keep what it used so far:`
                : 'It keeps what it used in 90 days:'}
            </Text>
            <Scopes scopes={isYoung ? used : kept.scopes} />
            {keptProjects(proposed) && <Text size="sm">{keptProjects(proposed)}</Text>}
            <Text size="sm">
              {isYoung
                ? 'To give it more again, it is changed by hand.'
                : 'You can give these permissions back from this page for seven days.'}
            </Text>
          </Stack>
        )}
      </Confirm>
    </>
  );
}

export function Loosen({ apiKey, onDone }: { apiKey: ApiKey; onDone: Reload }) {
  const change = useChange(LOOSEN);
  const run = async () => {
    if (await change.run({ input: { id: apiKey.id } })) onDone();
  };
  return (
    <>
      <Button variant="default" size="xs" loading={change.isRunning} onClick={() => void run()}>
        Undo
      </Button>
      {change.error && <Failure title="It was not given back" error={change.error} />}
    </>
  );
}

const GRACES = [
  ['0', 'None: the old key ends now'],
  ['3600', 'An hour'],
  ['86400', 'A day'],
  ['604800', 'A week'],
] as const;

export function Rotate({ apiKey, onDone }: { apiKey: ApiKey; onDone: Reload }) {
  const [opened, setOpened] = useState(false);
  const [grace, setGrace] = useState('86400');
  const [key, setKey] = useState<{ key: string; id: string }>();
  const change = useChange(ROTATE);
  const run = async () => {
    const result = await change.run({
      input: { id: apiKey.id, gracePeriod: Number(grace), expectedUpdatedAt: apiKey.updatedAt },
    });
    const made = result?.rotateApiKey;
    if (made?.apiKey) setKey({ key: made.key, id: made.apiKey.id });
  };
  const close = () => {
    setOpened(false);
    if (key) onDone();
    setKey(undefined);
  };
  return (
    <>
      {/* The dialog outlives the button: the key is no more active once it has a successor, which is shown this once. */}
      {apiKey.status === 'ACTIVE' && (
        <Button variant="default" onClick={() => setOpened(true)}>
          Rotate
        </Button>
      )}
      <Dialog
        opened={opened}
        onClose={close}
        title={key ? 'The new key' : 'Rotate the key?'}
        size="lg"
        keep={Boolean(key)}
      >
        {key ? (
          <Stack>
            <Alert color="yellow" variant="outline" title="Copy it now">
              It is shown this once.
            </Alert>
            <Copyable text={key.key} label="Copy the key" testId="rotated-key" />
            <Group justify="flex-end">
              <Button component={Link} to={`/settings/api-keys/${key.id}`} onClick={close}>
                Go to the new key
              </Button>
            </Group>
          </Stack>
        ) : (
          <Stack>
            {change.error && <Failure title="It was not rotated" error={change.error} />}
            <Text size="sm">
              The new key may do what this one may. This one goes on working for a while, and its answers say that it
              ends.
            </Text>
            <Select
              label="Grace period"
              data={GRACES.map(([value, label]) => ({ value, label }))}
              value={grace}
              allowDeselect={false}
              onChange={(value) => setGrace(value ?? '86400')}
            />
            <Group justify="flex-end">
              <Button variant="default" onClick={close}>
                Cancel
              </Button>
              <Button loading={change.isRunning} onClick={() => void run()}>
                Rotate
              </Button>
            </Group>
          </Stack>
        )}
      </Dialog>
    </>
  );
}

export function Revoke({ apiKey, onDone }: { apiKey: ApiKey; onDone: Reload }) {
  const [opened, setOpened] = useState(false);
  const [reason, setReason] = useState('');
  const change = useChange(REVOKE);
  const run = async () => {
    const done = await change.run({ input: { id: apiKey.id, ...(reason && { reason }) } });
    if (!done) return;
    setOpened(false);
    onDone();
  };
  const { byOperation, total } = apiKey.usage;
  return (
    <>
      <Button variant="outline" color="red" onClick={() => setOpened(true)}>
        Revoke
      </Button>
      <Confirm
        title="Revoke the key?"
        action="Revoke"
        opened={opened}
        isRunning={change.isRunning}
        error={change.error}
        onClose={() => setOpened(false)}
        onConfirm={() => void run()}
      >
        <Stack>
          {total > 0 ? (
            <div>
              <Text size="sm" mb="xs">
                What uses it fails at once. In 30 days it ran, last{' '}
                {apiKey.lastUsedAt ? relative(apiKey.lastUsedAt) : 'never'}:
              </Text>
              <Bars counts={byOperation} none="no named operation" most={5} />
            </div>
          ) : (
            <Text size="sm">It was not used in 30 days: nothing that is known breaks.</Text>
          )}
          <TextInput
            label="Reason"
            description="For the audit log"
            maxLength={200}
            value={reason}
            onChange={({ currentTarget }) => setReason(currentTarget.value)}
          />
        </Stack>
      </Confirm>
    </>
  );
}
