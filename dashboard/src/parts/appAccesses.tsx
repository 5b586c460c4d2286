import { Button, Card, Group, Stack, Text, Title } from '@mantine/core';
import { useState } from 'react';
import { type AppAccess, endApp, readApps } from '../account.ts';
import { Confirm } from './confirm.tsx';
import { Scopes } from './scopes.tsx';
import { Failure, Loading } from './states.tsx';
import { When } from './time.tsx';
import { useLoaded } from './useLoaded.ts';

/** What others' applications may do as this person, in whichever workspace. */
export function AppAccesses() {
  const { data, error, load, change } = useLoaded(readApps);
  const apps = data?.apps;
  const [ending, setEnding] = useState<AppAccess>();
  const [isRunning, setRunning] = useState(false);
  const end = async () => {
    if (!ending) return;
    setRunning(true);
    await change(() => endApp(ending.id));
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
