/** The person's own: password and sessions. Keys are the workspace's, and stand under API Keys. */
import { Alert, Anchor, Button, Card, Group, PasswordInput, Stack, Text, TextInput, Title } from '@mantine/core';
import { useCallback, useEffect, useState } from 'react';
import { useForm } from 'react-hook-form';
import { Link } from 'react-router';
import {
  type AccountError,
  type AppAccess,
  addPasskey,
  changePassword,
  endApp,
  endSession,
  type Passkey,
  readApps,
  readPasskeys,
  readSessions,
  removePasskey,
  type Session,
} from '../account.ts';
import { Confirm } from '../parts/confirm.tsx';
import { showErrors } from '../parts/form.ts';
import { Page } from '../parts/page.tsx';
import { Scopes } from '../parts/scopes.tsx';
import { Failure, Loading, Refused } from '../parts/states.tsx';
import { When } from '../parts/time.tsx';
import { useAccount, usePlace } from '../workspace.tsx';

export default function AccountPage() {
  const { person, workspace, may } = usePlace();
  const { state } = useAccount();
  return (
    <Page
      title="Your account"
      about={`${person.name}, ${person.email}; ${workspace.role.toLowerCase()} of ${workspace.name}`}
    >
      {may('keys:read') && (
        <Alert color="gray" variant="outline" title="Looking for your API key?">
          Keys are made under{' '}
          <Anchor component={Link} to="/settings/api-keys" underline="always">
            API Keys
          </Anchor>
          .
        </Alert>
      )}
      <Password />
      {state.passkeys && <Passkeys />}
      <Sessions />
      <Apps />
    </Page>
  );
}

function Password() {
  const [failure, setFailure] = useState<string>();
  const [isDone, setDone] = useState(false);
  const { register, handleSubmit, setError, reset, formState } = useForm({
    defaultValues: { currentPassword: '', newPassword: '' },
  });
  const { errors, isSubmitting } = formState;
  const submit = handleSubmit(async (values) => {
    setFailure(undefined);
    setDone(false);
    try {
      await changePassword(values);
      setDone(true);
      reset();
    } catch (cause) {
      const { fields, message } = cause as AccountError;
      setFailure(showErrors(fields, ['currentPassword', 'newPassword'], setError, message));
    }
  });
  return (
    <Card className="panel" p="md" maw={520}>
      <Title order={2} mb="sm">
        Password
      </Title>
      <form onSubmit={submit} noValidate>
        <Stack>
          <Refused>{failure}</Refused>
          {isDone && (
            <Alert color="green" variant="outline" role="status">
              The password is changed, and your other sessions have ended.
            </Alert>
          )}
          <PasswordInput
            label="Current password"
            autoComplete="current-password"
            error={errors.currentPassword?.message}
            {...register('currentPassword')}
          />
          <PasswordInput
            label="New password"
            description="At least 10 characters; a few words are good"
            autoComplete="new-password"
            error={errors.newPassword?.message}
            {...register('newPassword')}
          />
          <Group>
            <Button type="submit" loading={isSubmitting}>
              Change password
            </Button>
          </Group>
        </Stack>
      </form>
    </Card>
  );
}

function Sessions() {
  const [sessions, setSessions] = useState<readonly Session[]>();
  const [error, setError] = useState<Error>();
  const load = useCallback(() => {
    readSessions().then((read) => {
      setSessions(read.sessions);
      setError(undefined);
    }, setError);
  }, []);
  useEffect(load, [load]);
  return (
    <section aria-label="Sessions">
      <Title order={2} mb="xs">
        Active sessions
      </Title>
      {error && <Failure error={error} onRetry={load} />}
      {!sessions && !error && <Loading />}
      <Stack gap="xs">
        {sessions?.map((session) => (
          <Card key={session.id} className="panel" p="sm" maw={760}>
            <Group justify="space-between" wrap="nowrap">
              <div className="grow">
                <Text size="sm" style={{ overflowWrap: 'anywhere' }}>
                  {session.userAgent ?? 'Unknown client'}
                </Text>
                <Text size="xs" c="dimmed" component="div">
                  {session.ipAddress}, since <When at={session.createdAt} />
                </Text>
              </div>
              {session.isCurrent ? (
                <Text size="sm" fw={600}>
                  this one
                </Text>
              ) : (
                <Button size="xs" variant="default" onClick={() => void endSession(session.id).then(load, setError)}>
                  End session
                </Button>
              )}
            </Group>
          </Card>
        ))}
      </Stack>
    </section>
  );
}

/** What others' applications may do as this person, in whichever workspace. */
function Apps() {
  const [apps, setApps] = useState<readonly AppAccess[]>();
  const [error, setError] = useState<Error>();
  const [ending, setEnding] = useState<AppAccess>();
  const [isRunning, setRunning] = useState(false);
  const load = useCallback(() => {
    readApps().then((read) => {
      setApps(read.apps);
      setError(undefined);
    }, setError);
  }, []);
  useEffect(load, [load]);
  const end = async () => {
    if (!ending) return;
    setRunning(true);
    await endApp(ending.id).then(load, setError);
    setRunning(false);
    setEnding(undefined);
  };
  return (
    <section aria-label="Applications">
      <Title order={2} mb="xs">
        Applications that act as you
      </Title>
      {error && <Failure error={error} onRetry={load} />}
      {!apps && !error && <Loading />}
      {apps?.length === 0 && (
        <Text size="sm" c="dimmed">
          None. An application asks you before it can do anything.
        </Text>
      )}
      <Stack gap="xs">
        {apps?.map((app) => (
          <Card key={app.id} className="panel" p="sm" maw={760}>
            <Group justify="space-between" wrap="nowrap" align="flex-start">
              <Stack gap={4} className="grow">
                <Text size="sm" fw={600}>
                  {app.name}
                </Text>
                <Text size="xs" c="dimmed" component="div">
                  {app.workspace}
                  {app.environment === 'TEST' && ', sandbox'}; since <When at={app.createdAt} />, last used{' '}
                  <When at={app.lastUsedAt} />
                </Text>
                <Scopes scopes={app.scopes} />
              </Stack>
              <Button
                size="xs"
                variant="default"
                aria-label={`End the access of ${app.name}`}
                onClick={() => setEnding(app)}
              >
                End access
              </Button>
            </Group>
          </Card>
        ))}
      </Stack>
      <Confirm
        title={`End the access of ${ending?.name ?? ''}?`}
        action="End access"
        opened={ending !== undefined}
        isRunning={isRunning}
        onClose={() => setEnding(undefined)}
        onConfirm={() => void end()}
      >
        <Text size="sm">It can do nothing as you any more, at once. What it made stays. It may ask you again.</Text>
      </Confirm>
    </section>
  );
}

/** Keys of this person's devices, by which they sign in without the password. */
function Passkeys() {
  const [passkeys, setPasskeys] = useState<readonly Passkey[]>();
  const [error, setError] = useState<Error>();
  const [failure, setFailure] = useState<string>();
  const [isAdding, setAdding] = useState(false);
  const [name, setName] = useState('');
  const [leaving, setLeaving] = useState<Passkey>();
  const [isRemoving, setRemoving] = useState(false);
  const load = useCallback(() => {
    readPasskeys().then((read) => {
      setPasskeys(read.passkeys);
      setError(undefined);
    }, setError);
  }, []);
  useEffect(load, [load]);
  const add = async () => {
    setFailure(undefined);
    setAdding(true);
    try {
      await addPasskey(name.trim() || 'My device');
      setName('');
      load();
    } catch (cause) {
      const { name: kind, message } = cause as Error;
      const words = {
        NotAllowedError: 'No passkey was made. Try again.',
        InvalidStateError: 'This device has a passkey for your account already.',
      };
      setFailure(words[kind as keyof typeof words] ?? message);
    } finally {
      setAdding(false);
    }
  };
  const remove = async () => {
    if (!leaving) return;
    setRemoving(true);
    await removePasskey(leaving.id).then(load, setError);
    setRemoving(false);
    setLeaving(undefined);
  };
  return (
    <section aria-label="Passkeys">
      <Title order={2} mb="xs">
        Passkeys
      </Title>
      <Text size="sm" c="dimmed" mb="xs">
        Sign in by your device, with its PIN, your finger or your face. A passkey works at this address alone.
      </Text>
      {error && <Failure error={error} onRetry={load} />}
      <Stack gap="xs" maw={760}>
        {passkeys?.map((passkey) => (
          <Card key={passkey.id} className="panel" p="sm">
            <Group justify="space-between" wrap="nowrap">
              <Text size="sm">
                {passkey.name}, since <When at={passkey.createdAt} />
              </Text>
              <Button
                size="xs"
                variant="default"
                aria-label={`Remove the passkey ${passkey.name}`}
                onClick={() => setLeaving(passkey)}
              >
                Remove
              </Button>
            </Group>
          </Card>
        ))}
        <Refused>{failure}</Refused>
        <form
          onSubmit={(event) => {
            event.preventDefault();
            void add();
          }}
        >
          <Group align="flex-end" gap="xs">
            <TextInput
              label="Name of the device"
              placeholder="My device"
              value={name}
              maxLength={60}
              onChange={({ currentTarget }) => setName(currentTarget.value)}
            />
            <Button type="submit" loading={isAdding}>
              Add a passkey
            </Button>
          </Group>
        </form>
      </Stack>
      <Confirm
        title={`Remove the passkey ${leaving?.name ?? ''}?`}
        action="Remove"
        opened={leaving !== undefined}
        isRunning={isRemoving}
        onClose={() => setLeaving(undefined)}
        onConfirm={() => void remove()}
      >
        <Text size="sm">It signs nobody in any more, and your other sessions end.</Text>
      </Confirm>
    </section>
  );
}
