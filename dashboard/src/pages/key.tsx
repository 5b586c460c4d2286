/** A key: what it may do and what it did, and taking back, replacing and ending it. */
import { Alert, Anchor, Button, Card, Group, List, SimpleGrid, Stack, Table, Text, Title } from '@mantine/core';
import { lazy, type ReactNode, Suspense, useCallback, useEffect } from 'react';
import { Link, useParams } from 'react-router';
import { useQuery } from 'urql';
import { curlLine } from '../curl.ts';
import { graphql } from '../graphql.ts';
import { type ApiKey, KEY } from '../parts/apiKey.ts';
import { Bars, counted, number } from '../parts/bars.tsx';
import { Copyable } from '../parts/copy.tsx';
import { Loosen, Rename, Revoke, Rotate, Tighten } from '../parts/keyChanges.tsx';
import { Page } from '../parts/page.tsx';
import { Scopes } from '../parts/scopes.tsx';
import { Failure, Loading } from '../parts/states.tsx';
import { relative, When } from '../parts/time.tsx';
import { KEY_TONES, Toned, words } from '../parts/tones.tsx';
import { usePlace } from '../workspace.tsx';

const DayChart = lazy(() => import('../parts/dayChart.tsx'));

const AUDIT = graphql(`
  query KeyAudit($id: ID!) {
    auditLog(first: 10, filter: { targetId: { eq: $id } }) { nodes { id action actorUserId actorKeyId ip createdAt } }
  }
`);
type Reload = () => void;

export default function KeyPage() {
  const { id = '' } = useParams();
  const { may } = usePlace();
  const [{ data, error, fetching }, again] = useQuery({ query: KEY, variables: { id } });
  const [{ data: log }, againLog] = useQuery({ query: AUDIT, variables: { id }, pause: !may('audit:read') });
  const key = data?.apiKey;
  const reload = useCallback(() => {
    again({ requestPolicy: 'network-only' });
    againLog({ requestPolicy: 'network-only' });
  }, [again, againLog]);
  if (error && !key) return <Failure title="The key cannot be shown" error={error} onRetry={reload} />;
  if (!key || (fetching && key.id !== id)) return <Loading />;
  const isWorking = key.status === 'ACTIVE' || key.status === 'ROTATED';
  return (
    <Page
      title={key.name}
      about={
        <Group gap="sm">
          <Toned tone={KEY_TONES[key.status] ?? 'calm'}>{words(key.status)}</Toned>
          <code>{key.prefix}</code>
          <span>{key.environment === 'LIVE' ? 'live' : 'sandbox'}</span>
          {key.description && <span>{key.description}</span>}
        </Group>
      }
      actions={
        may('keys:write') && (
          <>
            <Rename apiKey={key} onDone={reload} />
            <Rotate apiKey={key} onDone={reload} />
            {isWorking && <Revoke apiKey={key} onDone={reload} />}
          </>
        )
      }
    >
      <States apiKey={key} />
      <SimpleGrid cols={{ base: 1, md: 2 }}>
        <Reach apiKey={key} onDone={reload} />
        <Facts apiKey={key} />
      </SimpleGrid>
      <Use apiKey={key} onReload={reload} />
      {key.operationSets.length > 0 && <Operations apiKey={key} />}
      {log?.auditLog && (
        <Section title="Audit log">
          <Table aria-label="Audit log of the key" verticalSpacing={6}>
            <Table.Tbody>
              {log.auditLog.nodes.map((event) => (
                <Table.Tr key={event.id}>
                  <Table.Td>
                    <code>{event.action}</code>
                  </Table.Td>
                  <Table.Td>{event.ip ?? 'the server'}</Table.Td>
                  <Table.Td ta="right">
                    <When at={event.createdAt} />
                  </Table.Td>
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        </Section>
      )}
    </Page>
  );
}

function Section({ title, aside, children }: { title: string; aside?: ReactNode; children: ReactNode }) {
  return (
    <Card className="panel" p="md" component="section" aria-label={title}>
      <Group justify="space-between" mb="sm">
        <Title order={2}>{title}</Title>
        {aside}
      </Group>
      {children}
    </Card>
  );
}

/** What one should know first. */
function States({ apiKey }: { apiKey: ApiKey }) {
  const { status, graceEndsAt, rotatedAt, successorId, lastUsedAt, expiresAt } = apiKey;
  if (status === 'REVOKED') {
    return (
      <Alert color="red" variant="outline" title="Revoked">
        It opens nothing any more, for good. {apiKey.revokedReason === 'revoked' ? '' : apiKey.revokedReason}
      </Alert>
    );
  }
  if (status === 'ROTATED' && rotatedAt) {
    const isUsed = lastUsedAt !== null && lastUsedAt > rotatedAt;
    return (
      <Alert color="yellow" variant="outline" title={`Rotated; it stops working ${relative(graceEndsAt ?? '')}`}>
        {isUsed
          ? `Somebody still uses this one: ${relative(lastUsedAt)}, from ${apiKey.lastUsedIp} (${apiKey.lastUsedUserAgent ?? 'unknown client'}).`
          : 'Nobody has used it since it was replaced.'}{' '}
        Answers to it carry a Deprecation header.{' '}
        {successorId && (
          <Anchor component={Link} to={`/settings/api-keys/${successorId}`} underline="always">
            Go to the key that replaced it
          </Anchor>
        )}
      </Alert>
    );
  }
  const days = expiresAt ? (new Date(expiresAt).getTime() - Date.now()) / 86_400_000 : Number.POSITIVE_INFINITY;
  if (status === 'ACTIVE' && days < 14 && !apiKey.autoRenew) {
    return (
      <Alert color="yellow" variant="outline" title={`Expires ${relative(expiresAt ?? '')}`}>
        Rotate it before, so that the programs that use it have time to take the new one.
      </Alert>
    );
  }
  return null;
}

function Reach({ apiKey, onDone }: { apiKey: ApiKey; onDone: Reload }) {
  const { may } = usePlace();
  const { scopes, unusedScopes, projectIds, allowedIps, isLocked, tightenings } = apiKey;
  const isWorking = apiKey.status === 'ACTIVE';
  // Scopes of which it may have used a part, or projects.
  const isWide = scopes.some((scope) => scope.endsWith(':*')) || projectIds === null;
  // Of a key that was made just now, its use says nothing yet.
  const isKnown = apiKey.usage.total >= 20 || Date.now() - new Date(apiKey.createdAt).getTime() > 86_400_000;
  return (
    <Section title="Permissions">
      <Stack gap="sm">
        <Scopes scopes={scopes} />
        <Text size="sm">
          {scopes.length === 0
            ? 'It has no scopes, and may do nothing but ask about itself. '
            : isLocked
              ? 'It runs only the operations it is locked to. '
              : 'It runs any operation within its scopes. '}
          {projectIds
            ? `It sees ${projectIds.length} ${projectIds.length === 1 ? 'project' : 'projects'} and nothing else. `
            : 'It sees all projects. '}
          {allowedIps ? `From ${allowedIps.join(', ')}.` : 'From any address.'}
        </Text>
        {unusedScopes.length > 0 && isWorking && isKnown && (
          <Alert color="yellow" variant="outline" title="Unused permissions">
            <Stack gap="xs" align="flex-start">
              <Scopes scopes={unusedScopes} />
              <Text size="sm">
                were not used in the last 90 days. Tightening keeps what it used: of a permission like tasks:*, and of
                its projects, those alone.
              </Text>
              {may('keys:write') && <Tighten apiKey={apiKey} onDone={onDone} />}
            </Stack>
          </Alert>
        )}
        {unusedScopes.length === 0 && isWide && isWorking && isKnown && may('keys:write') && (
          <Group gap="xs" justify="space-between">
            <Text size="sm">Tightening keeps what it used in the last 90 days.</Text>
            <Tighten apiKey={apiKey} onDone={onDone} />
          </Group>
        )}
        {tightenings.map(({ createdAt, undoneAt, before, after, refusals }, at) => (
          <Group key={createdAt} gap="xs" justify="space-between">
            <Text size="sm">
              Tightened {relative(createdAt)}:{' '}
              {before.scopes.filter((one) => !after.scopes.includes(one)).join(', ') || 'bounds'} taken
              {refusals.length > 0 &&
                `; ${counted(
                  refusals.reduce((sum, one) => sum + one.count, 0),
                  'request',
                )} missed it since`}
              {undoneAt && '; given again'}
            </Text>
            {at === 0 && !undoneAt && isWorking && may('keys:write') && <Loosen apiKey={apiKey} onDone={onDone} />}
          </Group>
        ))}
      </Stack>
    </Section>
  );
}

function Facts({ apiKey }: { apiKey: ApiKey }) {
  const facts: readonly [string, ReactNode][] = [
    ['Last used', <When key="used" at={apiKey.lastUsedAt} />],
    [
      'From',
      apiKey.lastUsedIp ? `${apiKey.lastUsedIp}, ${apiKey.lastUsedUserAgent ?? 'unknown client'}` : 'nowhere yet',
    ],
    ['Requests', `${number(apiKey.requestsToday)} today, ${number(apiKey.requestsThisMonth)} this month`],
    [
      'Limits',
      [
        apiKey.rateLimit.perMinute && `${number(apiKey.rateLimit.perMinute)} a minute`,
        apiKey.rateLimit.perHour && `${number(apiKey.rateLimit.perHour)} an hour`,
      ]
        .filter(Boolean)
        .join(', ') || 'those of the plan',
    ],
    ['Expires', <When key="expires" at={apiKey.expiresAt} />],
    ['Created', <When key="made" at={apiKey.createdAt} />],
    ['Created by', apiKey.createdBy?.name ?? 'nobody who is here'],
    ['Id', <code key="id">{apiKey.id}</code>],
  ];
  return (
    <Section title="Details">
      <Table aria-label="Details of the key" verticalSpacing={5} withRowBorders={false}>
        <Table.Tbody>
          {facts.map(([label, value]) => (
            <Table.Tr key={label}>
              <Table.Th w={110} scope="row" fw={500} c="dimmed">
                {label}
              </Table.Th>
              <Table.Td style={{ overflowWrap: 'anywhere' }}>{value}</Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Section>
  );
}

function Use({ apiKey, onReload }: { apiKey: ApiKey; onReload: Reload }) {
  const { usage } = apiKey;
  const isWorking = apiKey.status === 'ACTIVE' || apiKey.status === 'ROTATED';
  const isUnused = usage.total === 0 && isWorking;
  useEffect(() => {
    if (!isUnused) return;
    // The first use is waited for; later ones are not worth asking again and again.
    const timer = window.setInterval(onReload, 5000);
    return () => window.clearInterval(timer);
  }, [isUnused, onReload]);
  if (usage.total === 0) {
    const operations = apiKey.operationSets[0]?.operations ?? [];
    // A line to try the key changes nothing where it can.
    const operation = operations.find(({ text }) => !/^\s*mutation\b/.test(text)) ?? operations[0];
    return (
      <Section
        title="Usage"
        aside={
          <Button variant="default" size="xs" onClick={onReload}>
            Refresh
          </Button>
        }
      >
        <Text size="sm" mb="xs">
          {isWorking
            ? 'No use in the last 30 days. Put the key in place of the dots, and its use appears here within a few seconds:'
            : 'No use in the last 30 days.'}
        </Text>
        {isWorking && (
          <Copyable
            text={curlLine(apiKey.prefix, apiKey.isLocked ? operation?.text : undefined)}
            label="Copy the line"
          />
        )}
      </Section>
    );
  }
  return (
    <Section
      title={`Usage: ${counted(usage.total, 'request')} in 30 days`}
      aside={
        <Button variant="default" size="xs" onClick={onReload}>
          Refresh
        </Button>
      }
    >
      <Suspense fallback={<Loading what="Loading the chart" />}>
        <DayChart days={usage.byDay} />
      </Suspense>
      <SimpleGrid cols={{ base: 1, sm: 2, lg: 3 }} mt="md">
        <Counted title="By operation" counts={usage.byOperation} none="No operations yet." />
        <Counted title="By scope" counts={usage.byScope} none="It used no scope." />
        <Counted title="By network" counts={usage.byNetwork} none="From nowhere yet." />
        <Counted title="By status" counts={usage.byStatus} none="No answers yet." />
        <Counted title="Missing scopes" counts={usage.byMissingScope} none="Nothing was refused." />
      </SimpleGrid>
    </Section>
  );
}

function Counted({
  title,
  counts,
  none,
}: {
  title: string;
  counts: readonly { name: string; count: number }[];
  none: string;
}) {
  return (
    <div>
      <Title order={3} mb={6} fz="sm">
        {title}
      </Title>
      <Bars counts={counts} none={none} />
    </div>
  );
}

function Operations({ apiKey }: { apiKey: ApiKey }) {
  return (
    <Section title="Locked operations">
      {apiKey.operationSets.slice(0, 3).map(({ version, endsAt, operations }) => (
        <div key={version}>
          <Text size="sm" fw={600}>
            Version {version}
            {endsAt && `, until ${relative(endsAt)}`}
          </Text>
          <List size="sm" my="xs">
            {operations.map(({ name, scopes, lastUsedAt }) => (
              <List.Item key={name}>
                <code>{name}</code> {scopes.join(', ')}; {lastUsedAt ? `ran ${relative(lastUsedAt)}` : 'never ran'}
              </List.Item>
            ))}
          </List>
        </div>
      ))}
    </Section>
  );
}
