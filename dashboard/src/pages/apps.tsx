/** Applications of others that users may let act as them, by OAuth. */
import { Alert, Anchor, Button, Card, Checkbox, Group, Stack, Text, Textarea, TextInput, Title } from '@mantine/core';
import { useState } from 'react';
import { useForm } from 'react-hook-form';
import { Link } from 'react-router';
import { useQuery } from 'urql';
import { graphql, type ResultOf } from '../graphql.ts';
import { Confirm } from '../parts/confirm.tsx';
import { Copyable } from '../parts/copy.tsx';
import { Dialog } from '../parts/dialog.tsx';
import { Page } from '../parts/page.tsx';
import { ScopePicker, Scopes } from '../parts/scopes.tsx';
import { Empty, Failure, fieldsOf, Loading, RefusedChange, said } from '../parts/states.tsx';
import { When } from '../parts/time.tsx';
import { useChange } from '../parts/useChange.ts';
import { usePlace } from '../workspace.tsx';

const APPS = graphql(`
  query Apps {
    oauthApps(first: 100) {
      totalCount
      nodes { id name description redirectUris scopes isConfidential createdAt updatedAt }
    }
  }
`);
const CREATE = graphql(`
  mutation RegisterApp($input: CreateOauthAppInput!) { createOauthApp(input: $input) { clientSecret oauthApp { id name } } }
`);
const UPDATE = graphql(`
  mutation ChangeApp($input: UpdateOauthAppInput!) { updateOauthApp(input: $input) { oauthApp { id updatedAt } } }
`);
const ROTATE = graphql(`
  mutation NewAppSecret($input: RotateOauthAppSecretInput!) {
    rotateOauthAppSecret(input: $input) { clientSecret oauthApp { id name } }
  }
`);
const DELETE = graphql(`
  mutation DeleteApp($input: DeleteOauthAppInput!) { deleteOauthApp(input: $input) { id ended } }
`);

type App = NonNullable<ResultOf<typeof APPS>['oauthApps']>['nodes'][number];
interface Secret {
  readonly id: string;
  readonly name: string;
  readonly clientSecret: string | null;
}

/** By these an application would make what outlasts its access; the server refuses them too. */
const WITHOUT = ['admin:*', 'keys:write', 'keys:delete', 'users:write', 'users:delete', 'webhooks:write'];
const FIELDS = ['name', 'description', 'redirectUris', 'scopes'];

export default function AppsPage() {
  const { may } = usePlace();
  const [{ data, error }, again] = useQuery({ query: APPS });
  const [editing, setEditing] = useState<App | 'new'>();
  const [rotating, setRotating] = useState<App>();
  const [leaving, setLeaving] = useState<App>();
  const [secret, setSecret] = useState<Secret>();
  const rotate = useChange(ROTATE);
  const remove = useChange(DELETE);
  const reload = () => again({ requestPolicy: 'network-only' });
  const canManage = may('admin:*');
  const apps = data?.oauthApps;
  return (
    <Page
      title="Applications"
      about="Programs of others that ask each user before they act as them (OAuth 2.1). A program of your own takes an API key."
      actions={canManage && <Button onClick={() => setEditing('new')}>Register an application</Button>}
    >
      {error && !data && <Failure error={error} onRetry={reload} />}
      {!data && !error && <Loading />}
      {apps?.nodes.length === 0 && (
        <Empty title="No applications yet">
          {canManage
            ? 'Register one with the addresses that its users are sent back to.'
            : 'An admin of the workspace registers them.'}
        </Empty>
      )}
      <Stack gap="sm">
        {apps?.nodes.map((app) => (
          <Card key={app.id} className="panel" p="md">
            <Stack gap={6}>
              <Title order={2}>{app.name}</Title>
              {app.description && <Text size="sm">{app.description}</Text>}
              <Text size="sm" style={{ overflowWrap: 'anywhere' }}>
                Client ID <code>{app.id}</code>
              </Text>
              <Text size="sm" style={{ overflowWrap: 'anywhere' }}>
                Sends back to {app.redirectUris.join(', ')}
              </Text>
              <Scopes scopes={app.scopes} />
              <Text size="xs" c="dimmed" component="div">
                {app.isConfidential ? 'Keeps a secret' : 'Keeps no secret (PKCE alone)'}; registered{' '}
                <When at={app.createdAt} />
              </Text>
              {canManage && (
                <Group gap="xs" mt="xs">
                  <Button size="xs" variant="default" aria-label={`Change ${app.name}`} onClick={() => setEditing(app)}>
                    Change
                  </Button>
                  {app.isConfidential && (
                    <Button
                      size="xs"
                      variant="default"
                      aria-label={`New secret of ${app.name}`}
                      onClick={() => setRotating(app)}
                    >
                      New secret
                    </Button>
                  )}
                  <Button size="xs" variant="default" aria-label={`Delete ${app.name}`} onClick={() => setLeaving(app)}>
                    Delete
                  </Button>
                </Group>
              )}
            </Stack>
          </Card>
        ))}
      </Stack>
      {apps && apps.nodes.length > 0 && (
        <Text size="sm" c="dimmed">
          What users let them do stands among the{' '}
          <Anchor component={Link} to="/settings/api-keys" underline="always">
            API Keys
          </Anchor>
          , each with its use.
        </Text>
      )}
      {editing && (
        <AppForm
          key={editing === 'new' ? 'new' : editing.id}
          app={editing === 'new' ? undefined : editing}
          onClose={() => setEditing(undefined)}
          onDone={(made) => {
            setEditing(undefined);
            setSecret(made);
            reload();
          }}
        />
      )}
      <Dialog
        title={`${secret?.name ?? ''} is registered`}
        opened={secret !== undefined}
        onClose={() => setSecret(undefined)}
        size="lg"
        keep
      >
        <Stack>
          <Text size="sm">Client ID</Text>
          <Copyable text={secret?.id ?? ''} label="Copy the client ID" testId="client-id" />
          {secret?.clientSecret && (
            <>
              <Alert color="yellow" variant="outline" title="Copy the secret now">
                It is shown this once. What is stored is a hash of it.
              </Alert>
              <Copyable text={secret.clientSecret} label="Copy the secret" testId="client-secret" />
            </>
          )}
          <Text size="sm">
            Its library finds all addresses by <code>{window.location.origin}</code>.
          </Text>
          <Group justify="flex-end">
            <Button onClick={() => setSecret(undefined)}>Done</Button>
          </Group>
        </Stack>
      </Dialog>
      <Confirm
        title={`A new secret for ${rotating?.name ?? ''}?`}
        action="Make a new secret"
        opened={rotating !== undefined}
        isRunning={rotate.isRunning}
        error={rotate.error}
        onClose={() => setRotating(undefined)}
        onConfirm={async () => {
          const made = rotating && (await rotate.run({ input: { id: rotating.id } }))?.rotateOauthAppSecret;
          if (!made?.oauthApp) return;
          setRotating(undefined);
          setSecret({ ...made.oauthApp, clientSecret: made.clientSecret });
        }}
      >
        <Text size="sm">
          The present one opens nothing any more, at once. What users allowed goes on with the new one.
        </Text>
      </Confirm>
      <Confirm
        title={`Delete ${leaving?.name ?? ''}?`}
        action="Delete"
        opened={leaving !== undefined}
        isRunning={remove.isRunning}
        error={remove.error}
        onClose={() => setLeaving(undefined)}
        onConfirm={async () => {
          if (!leaving || !(await remove.run({ input: { id: leaving.id } }))) return;
          setLeaving(undefined);
          reload();
        }}
      >
        <Text size="sm">All access that users gave it ends, at once. What it made stays.</Text>
      </Confirm>
    </Page>
  );
}

function AppForm({
  app,
  onClose,
  onDone,
}: {
  app: App | undefined;
  onClose: () => void;
  onDone: (made: Secret | undefined) => void;
}) {
  const create = useChange(CREATE);
  const update = useChange(UPDATE);
  const [scopes, setScopes] = useState<readonly string[]>(app?.scopes ?? ['tasks:read']);
  const { register, handleSubmit } = useForm({
    defaultValues: {
      name: app?.name ?? '',
      description: app?.description ?? '',
      redirectUris: app?.redirectUris.join('\n') ?? '',
      isConfidential: app?.isConfidential ?? true,
    },
  });
  const error = create.error ?? update.error;
  const fields = error ? fieldsOf(error) : {};
  const submit = handleSubmit(async ({ name, description, redirectUris, isConfidential }) => {
    const uris = redirectUris.split(/\s+/).filter(Boolean);
    const input = { name, description, redirectUris: uris, scopes: [...scopes] };
    if (app) {
      const done = await update.run({ input: { ...input, id: app.id, expectedUpdatedAt: app.updatedAt } });
      if (done) onDone(undefined);
      return;
    }
    const made = (await create.run({ input: { ...input, isConfidential } }))?.createOauthApp;
    if (made?.oauthApp) onDone({ ...made.oauthApp, clientSecret: made.clientSecret });
  });
  return (
    <Dialog title={app ? `Change ${app.name}` : 'Register an application'} opened onClose={onClose} size="lg">
      <form onSubmit={submit} noValidate>
        <Stack>
          <TextInput
            label="Name"
            description="What users are asked about"
            required
            data-autofocus
            error={said(fields['name'])}
            {...register('name')}
          />
          <TextInput label="Description" error={said(fields['description'])} {...register('description')} />
          <Textarea
            label="Redirect URIs"
            description="Where its users are sent back to, one a line: https://, or http://127.0.0.1 for a program on their machine"
            autosize
            minRows={2}
            required
            spellCheck={false}
            error={said(fields['redirectUris'])}
            {...register('redirectUris')}
          />
          <div>
            <Text size="sm" fw={500}>
              The most that it may ask for
            </Text>
            <ScopePicker value={scopes} onChange={setScopes} without={WITHOUT} />
            {fields['scopes'] && (
              <Text size="sm" c="var(--mantine-color-error)">
                {said(fields['scopes'])}
              </Text>
            )}
          </div>
          {!app && (
            <Checkbox
              label="It keeps a secret"
              description="Yes for a program on a server; no for one in a browser, on a phone or at a command line."
              {...register('isConfidential')}
            />
          )}
          <RefusedChange title={app ? 'It was not changed' : 'It was not registered'} error={error} fields={FIELDS} />
          <Group justify="flex-end">
            <Button variant="default" onClick={onClose}>
              Cancel
            </Button>
            <Button type="submit" loading={create.isRunning || update.isRunning}>
              {app ? 'Save' : 'Register'}
            </Button>
          </Group>
        </Stack>
      </form>
    </Dialog>
  );
}
