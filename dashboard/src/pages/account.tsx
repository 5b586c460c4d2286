/** The person's own: password, passkeys, sessions and applications. Keys are the workspace's, and stand under API Keys. */
import { Alert, Anchor, Button, Card, Group, PasswordInput, Stack, Text, Title } from '@mantine/core';
import { useState } from 'react';
import { useForm } from 'react-hook-form';
import { Link } from 'react-router';
import { type AccountError, changePassword, endSession, readSessions } from '../account.ts';
import { AppAccesses } from '../parts/appAccesses.tsx';
import { showErrors } from '../parts/form.ts';
import { Page } from '../parts/page.tsx';
import { Passkeys } from '../parts/passkeys.tsx';
import { Failure, Loading, Refused } from '../parts/states.tsx';
import { When } from '../parts/time.tsx';
import { useLoaded } from '../parts/useLoaded.ts';
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
      <AppAccesses />
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
  const { data, error, load, change } = useLoaded(readSessions);
  const sessions = data?.sessions;
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
                <Button size="xs" variant="default" onClick={() => void change(() => endSession(session.id))}>
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
