/** Generate New Key: from the operations that it will run, or by scopes. */
import {
  Alert,
  Anchor,
  Button,
  Checkbox,
  FileButton,
  Group,
  MultiSelect,
  NumberInput,
  SegmentedControl,
  Select,
  Stack,
  Text,
  Textarea,
  TextInput,
  Title,
} from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { type ReactNode, useEffect, useState } from 'react';
import { useForm } from 'react-hook-form';
import { Link } from 'react-router';
import { useQuery } from 'urql';
import { curlLine } from '../curl.ts';
import { graphql, type ResultOf } from '../graphql.ts';
import { counted } from '../parts/bars.tsx';
import { Copyable } from '../parts/copy.tsx';
import { AskBeforeLeaving } from '../parts/leaving.tsx';
import { documentsIn, READABLE, together } from '../parts/operationsIn.ts';
import { Page } from '../parts/page.tsx';
import { ScopePicker, Scopes } from '../parts/scopes.tsx';
import { fieldsOf, Refused, RefusedChange, said, wordsOf } from '../parts/states.tsx';
import { useChange } from '../parts/useChange.ts';
import { useNeeds } from '../parts/useNeeds.ts';
import { useAccount, usePlace } from '../workspace.tsx';

const PROJECTS = graphql(`
  query KeyProjects { projects(first: 200, orderBy: [{ field: NAME }]) { nodes { id name } } }
`);
const CREATE = graphql(`
  mutation Generate($input: CreateApiKeyInput!) {
    createApiKey(input: $input) {
      key
      apiKey { id name scopes environment expiresAt isLocked }
      operations { name scopes }
    }
  }
`);
type Made = NonNullable<ResultOf<typeof CREATE>['createApiKey']>;

/** Fields that say themselves what is wrong with them. */
const SHOWN = ['name', 'description', 'projects', 'expiresAt', 'rateLimit', 'allowedIps'];

const EXPIRIES = [
  ['7', 'In 7 days'],
  ['30', 'In 30 days'],
  ['90', 'In 90 days'],
  ['365', 'In a year'],
  ['never', 'Never'],
] as const;

const EXAMPLE = `query Open($first: Int!) {
  tasks(first: $first, filter: { status: { neq: DONE } }) {
    nodes { id title dueDate }
  }
}`;

export default function NewKeyPage() {
  const { environment, may } = usePlace();
  const [made, setMade] = useState<{ made: Made; document: string }>();
  if (!may('keys:write')) {
    return (
      <Page title="Generate New Key">
        <Alert color="gray" variant="outline" title="Your role cannot create keys">
          Ask an admin of the workspace for one.
        </Alert>
      </Page>
    );
  }
  if (made) return <MadeKey {...made} onAnother={() => setMade(undefined)} />;
  return (
    <Page
      title="Generate New Key"
      about={`For the ${environment === 'live' ? 'live environment' : 'sandbox'}; change it with the switch at the top.`}
    >
      <NewKeyForm onMade={(result, document) => setMade({ made: result, document })} />
    </Page>
  );
}

/** The operation that the playground has handed over. */
const handedOver = () => sessionStorage.getItem('taskgate:operations') ?? '';

function NewKeyForm({ onMade }: { onMade: (made: Made, document: string) => void }) {
  const { environment } = usePlace();
  const { state } = useAccount();
  const [by, setBy] = useState<'operations' | 'scopes'>('operations');
  const [text, setText] = useState(handedOver);
  const [scopes, setScopes] = useState<string[]>([]);
  const [lock, setLock] = useState(true);
  const [projects, setProjects] = useState<string[]>([]);
  const [expiry, setExpiry] = useState<string>('90');
  const [filesNote, setFilesNote] = useState<string>();
  const [failure, setFailure] = useState<string>();
  const [document] = useDebouncedValue(text.trim(), 600);
  useEffect(() => sessionStorage.removeItem('taskgate:operations'), []);
  const needs = useNeeds(by === 'operations' ? document : '');
  const [{ data: known }] = useQuery({ query: PROJECTS });
  const create = useChange(CREATE);
  const { register, handleSubmit, setFocus, setValue, watch, formState } = useForm({
    defaultValues: { name: '', description: '', allowedIps: '', perMinute: '' as string | number },
  });
  const { errors } = formState;
  const submit = handleSubmit(async ({ name, description, allowedIps, perMinute }) => {
    setFailure(undefined);
    if (by === 'operations' && text.trim() === '') {
      setFailure('Paste the operations that the key will run, or choose its scopes.');
      return;
    }
    const addresses = allowedIps.split(/[\s,]+/).filter(Boolean);
    const days = expiry === 'never' ? undefined : Number(expiry);
    const input = {
      name,
      ...(description && { description }),
      environment: environment === 'live' ? ('LIVE' as const) : ('TEST' as const),
      ...(by === 'operations' ? { operations: { documents: [text], lock } } : { scopes }),
      ...(projects.length > 0 && { projects }),
      ...(addresses.length > 0 && { allowedIps: addresses }),
      ...(days !== undefined && { expiresAt: new Date(Date.now() + days * 86_400_000).toISOString() }),
      ...(perMinute !== '' && { rateLimit: { perMinute: Number(perMinute) } }),
    };
    const result = await create.run({ input });
    if (!result && name.trim() === '') setFocus('name');
    if (result?.createApiKey) onMade(result.createApiKey, by === 'operations' ? text : '');
  });
  const refused = create.error;
  const fields = refused ? fieldsOf(refused) : {};
  const readFiles = async (files: readonly File[]) => {
    const read: { name: string; documents: string[] }[] = [];
    for (const file of files) {
      if (!READABLE.test(file.name) || /node_modules\//.test(file.webkitRelativePath)) continue;
      read.push({ name: file.webkitRelativePath || file.name, documents: documentsIn(await file.text(), file.name) });
    }
    const found = together(read);
    const skipped = found.skipped.length > 0 ? ` Not read: ${found.skipped.slice(0, 5).join('; ')}.` : '';
    setFilesNote(
      found.operations > 0
        ? `${counted(found.operations, 'operation')} found in ${counted(read.length, 'file')}.${skipped}`
        : `No operations were found: .graphql files, and what stands in gql or graphql in scripts and Python, are read.${skipped}`,
    );
    if (found.operations > 0) setText(found.text);
  };
  return (
    <form onSubmit={submit} noValidate>
      <Stack maw={760}>
        <TextInput
          label="Name"
          description="What it is for: deploy script, CI, the phone app"
          required
          autoFocus
          error={said(fields['name']) ?? errors.name?.message}
          {...register('name')}
        />
        <TextInput label="Description" error={said(fields['description'])} {...register('description')} />
        <div>
          <Text component="h2" fw={600} size="sm" mb={6} id="reach">
            Permissions
          </Text>
          <SegmentedControl
            aria-labelledby="reach"
            value={by}
            onChange={(value) => setBy(value === 'scopes' ? 'scopes' : 'operations')}
            data={[
              { value: 'operations', label: 'From operations' },
              { value: 'scopes', label: 'Choose scopes' },
            ]}
          />
        </div>
        {by === 'operations' ? (
          <Stack gap="xs">
            <Textarea
              label="Operations"
              description="Paste the GraphQL operations that the program runs; the key gets exactly what they need."
              placeholder={EXAMPLE}
              autosize
              minRows={8}
              maxRows={20}
              spellCheck={false}
              styles={{ input: { fontFamily: 'var(--mantine-font-family-monospace)', fontSize: 13 } }}
              value={text}
              onChange={({ currentTarget }) => setText(currentTarget.value)}
              onDragOver={(event) => event.preventDefault()}
              onDrop={(event) => {
                event.preventDefault();
                void readFiles([...event.dataTransfer.files]);
              }}
            />
            <Group gap="xs">
              <FileButton
                multiple
                onChange={(files) => void readFiles(files)}
                accept=".graphql,.gql,.ts,.tsx,.js,.jsx,.mjs,.vue,.svelte,.py"
              >
                {(props) => (
                  <Button {...props} variant="default" size="xs">
                    Choose files
                  </Button>
                )}
              </FileButton>
              <FileButton
                multiple
                onChange={(files) => void readFiles(files)}
                inputProps={{ webkitdirectory: '' } as React.ComponentProps<'input'>}
              >
                {(props) => (
                  <Button {...props} variant="default" size="xs">
                    Choose a project folder
                  </Button>
                )}
              </FileButton>
              <Text size="xs" c="dimmed">
                Files are read in this browser; only their operations are sent.
              </Text>
            </Group>
            {filesNote && (
              <Text size="sm" role="status">
                {filesNote}
              </Text>
            )}
            <div aria-live="polite" data-testid="needs">
              {needs instanceof Error && (
                <Alert color="red" variant="outline" title="These operations are not valid here">
                  {wordsOf(needs).message}
                </Alert>
              )}
              {needs && !(needs instanceof Error) && (
                <Stack gap={6} className="panel" p="sm">
                  <Text size="sm" fw={600}>
                    Required scopes
                  </Text>
                  <Scopes scopes={needs.scopes} />
                  {needs.missing.length > 0 && (
                    <Text size="sm" c="var(--mantine-color-error)">
                      You do not hold {needs.missing.join(', ')}, and can give no more than you hold.
                    </Text>
                  )}
                </Stack>
              )}
            </div>
            <Checkbox
              label="Lock the key to these operations"
              description="It runs nothing else, whatever its scopes would allow. New versions of the program need a new set."
              checked={lock}
              onChange={({ currentTarget }) => setLock(currentTarget.checked)}
            />
          </Stack>
        ) : (
          <ScopePicker value={scopes} onChange={setScopes} />
        )}
        <MultiSelect
          label="Projects"
          description="The key sees and changes these only. None chosen: all projects."
          data={known?.projects?.nodes.map(({ id, name }) => ({ value: id, label: name })) ?? []}
          value={projects}
          onChange={setProjects}
          searchable
          clearable
          clearButtonProps={{ 'aria-label': 'Choose none' }}
          error={said(fields['projects'])}
        />
        <Group grow align="flex-start">
          <Select
            label="Expires"
            data={EXPIRIES.map(([value, label]) => ({ value, label }))}
            value={expiry}
            onChange={(value) => setExpiry(value ?? '90')}
            allowDeselect={false}
            error={said(fields['expiresAt'])}
          />
          <NumberInput
            label="Requests per minute"
            description="Empty: the limit of the plan"
            min={1}
            hideControls
            value={watch('perMinute')}
            onChange={(value) => setValue('perMinute', value)}
            error={said(fields['rateLimit'])}
          />
        </Group>
        <div>
          <TextInput
            label="IP allow-list"
            description="Addresses or CIDR blocks from which the key works. Empty: any."
            placeholder="203.0.113.0/24, 2001:db8::/48"
            error={said(fields['allowedIps'])}
            {...register('allowedIps')}
          />
          {state.address && (
            <Button
              mt={6}
              variant="default"
              size="xs"
              onClick={() => setValue('allowedIps', [watch('allowedIps'), state.address].filter(Boolean).join(', '))}
            >
              Add my address, {state.address}
            </Button>
          )}
        </div>
        <Refused>{failure}</Refused>
        <RefusedChange title="The key was not created" error={refused} fields={SHOWN} />
        <Group>
          <Button type="submit" loading={create.isRunning}>
            Generate
          </Button>
          <Button component={Link} to="/settings/api-keys" variant="default">
            Cancel
          </Button>
        </Group>
      </Stack>
    </form>
  );
}

function MadeKey({ made, document, onAnother }: { made: Made; document: string; onAnother: () => void }) {
  const { key, apiKey, operations } = made;
  const curl = curlLine(key, apiKey?.isLocked ? document : undefined);
  const [isCopied, setCopied] = useState(false);
  return (
    <Page title={`Key created: ${apiKey?.name}`}>
      <Stack maw={760}>
        <Alert color="yellow" variant="outline" title="Copy the key now">
          It is shown this once. Nobody can read it again: what is stored is a hash of it.
        </Alert>
        <Copyable text={key} label="Copy the key" testId="new-key" onCopy={() => setCopied(true)} />
        <Row label="It may">
          <Scopes scopes={apiKey?.scopes ?? []} />
          {apiKey?.isLocked && <Text size="sm">and runs only its {counted(operations?.length ?? 0, 'operation')}</Text>}
        </Row>
        <Title order={2}>Try it</Title>
        <Copyable text={curl} label="Copy the line" testId="curl" onCopy={() => setCopied(true)} />
        <Group>
          <Button component={Link} to={`/settings/api-keys/${apiKey?.id}`}>
            Go to the key
          </Button>
          <Button variant="default" onClick={onAnother}>
            Generate another key
          </Button>
          <Anchor component={Link} to="/settings/api-keys" size="sm">
            All keys
          </Anchor>
        </Group>
      </Stack>
      <AskBeforeLeaving when={!isCopied} title="Leave without copying the key?">
        It is not shown again. You would have to generate another one.
      </AskBeforeLeaving>
    </Page>
  );
}

function Row({ label, children }: { label: string; children: ReactNode }) {
  return (
    <Group gap="sm">
      <Text size="sm" fw={600}>
        {label}
      </Text>
      {children}
    </Group>
  );
}
