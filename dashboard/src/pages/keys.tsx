import { Alert, Anchor, Button, Group, ScrollArea, SegmentedControl, Table, Text, TextInput } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { useState } from 'react';
import { Link } from 'react-router';
import { useQuery } from 'urql';
import { graphql } from '../graphql.ts';
import { counted, number } from '../parts/bars.tsx';
import { Page } from '../parts/page.tsx';
import { Scopes } from '../parts/scopes.tsx';
import { Empty, Failure, Loading } from '../parts/states.tsx';
import { When } from '../parts/time.tsx';
import { KEY_TONES, RISK_TONES, Toned, words } from '../parts/tones.tsx';
import { usePlace } from '../workspace.tsx';

const KEYS = graphql(`
  query Keys($after: String, $search: String, $filter: ApiKeyFilter) {
    apiKeys(first: 50, after: $after, search: $search, filter: $filter) {
      totalCount
      pageInfo { hasNextPage endCursor }
      nodes { id name prefix environment scopes status expiresAt lastUsedAt requestsToday isLocked projectIds createdAt }
    }
    keyReview(first: 50) { risk apiKey { id } }
  }
`);

const WORKING = ['ACTIVE', 'ROTATED'] as const;

export default function KeysPage() {
  const { may, environment } = usePlace();
  const [which, setWhich] = useState<'working' | 'all'>('working');
  const [text, setText] = useState('');
  const [search] = useDebouncedValue(text.trim(), 250);
  const [cursors, setCursors] = useState<readonly string[]>([]);
  const [{ data, error, fetching }, again] = useQuery({
    query: KEYS,
    variables: {
      after: cursors.at(-1) ?? null,
      search: search || null,
      filter: which === 'working' ? { status: { in: [...WORKING] } } : null,
    },
  });
  const keys = data?.apiKeys;
  const risks = new Map(data?.keyReview?.map(({ risk, apiKey }) => [apiKey?.id, risk]));
  return (
    <Page
      title="API Keys"
      about={
        <>
          Every program has a key of its own, with what it needs and no more. A key itself is shown once, when it is
          made.
          {environment === 'test' && ' These are keys of the sandbox.'}
        </>
      }
      actions={
        may('keys:write') && (
          <Button component={Link} to="/settings/api-keys/new">
            Generate New Key
          </Button>
        )
      }
    >
      {!may('keys:read') ? (
        <Alert color="gray" variant="outline" title="Your role cannot see keys">
          Ask an admin of the workspace to make one for you, or to change your role.
        </Alert>
      ) : (
        <>
          <Group>
            <TextInput
              aria-label="Search keys"
              placeholder="Search by name"
              value={text}
              onChange={({ currentTarget }) => {
                setText(currentTarget.value);
                setCursors([]);
              }}
            />
            <SegmentedControl
              size="xs"
              aria-label="Which keys"
              value={which}
              onChange={(value) => {
                setWhich(value === 'all' ? 'all' : 'working');
                setCursors([]);
              }}
              data={[
                { value: 'working', label: 'Working' },
                { value: 'all', label: 'All' },
              ]}
            />
          </Group>
          {error && !keys && <Failure error={error} onRetry={() => again({ requestPolicy: 'network-only' })} />}
          {!keys && fetching && <Loading />}
          {keys?.nodes.length === 0 && (
            <Empty title={search ? 'No key has that name' : 'No keys yet'}>
              {search
                ? 'Search for another part of the name, or show all keys.'
                : 'Generate one from the operations that it will run.'}
            </Empty>
          )}
          {keys && keys.nodes.length > 0 && (
            <ScrollArea type="auto" className="panel" tabIndex={0} role="region" aria-label="API keys">
              <Table verticalSpacing="sm" miw={{ base: 0, sm: 860 }} highlightOnHover>
                <Table.Thead>
                  <Table.Tr>
                    <Table.Th>Name</Table.Th>
                    <Table.Th visibleFrom="sm">Key</Table.Th>
                    <Table.Th>State</Table.Th>
                    <Table.Th visibleFrom="sm">Scopes</Table.Th>
                    <Table.Th visibleFrom="sm">Last used</Table.Th>
                    <Table.Th visibleFrom="sm">Today</Table.Th>
                    <Table.Th visibleFrom="sm">Expires</Table.Th>
                    <Table.Th>Risk</Table.Th>
                  </Table.Tr>
                </Table.Thead>
                <Table.Tbody>
                  {keys.nodes.map((key) => {
                    const risk = risks.get(key.id) ?? 'NONE';
                    return (
                      <Table.Tr key={key.id}>
                        <Table.Td maw={240}>
                          <Anchor component={Link} to={`/settings/api-keys/${key.id}`} fw={550} size="sm">
                            {key.name}
                          </Anchor>
                          <Text size="xs" c="dimmed">
                            {[
                              key.isLocked && 'locked to operations',
                              key.projectIds && counted(key.projectIds.length, 'project'),
                            ]
                              .filter(Boolean)
                              .join(', ')}
                          </Text>
                        </Table.Td>
                        <Table.Td visibleFrom="sm">
                          <code style={{ fontSize: 12 }}>{key.prefix}</code>
                        </Table.Td>
                        <Table.Td>
                          <Toned tone={KEY_TONES[key.status] ?? 'calm'}>{words(key.status)}</Toned>
                        </Table.Td>
                        <Table.Td maw={260} visibleFrom="sm">
                          <Scopes scopes={key.scopes} />
                        </Table.Td>
                        <Table.Td visibleFrom="sm">
                          <When at={key.lastUsedAt} />
                        </Table.Td>
                        <Table.Td visibleFrom="sm">{number(key.requestsToday)}</Table.Td>
                        <Table.Td visibleFrom="sm">
                          <When at={key.expiresAt} />
                        </Table.Td>
                        <Table.Td>
                          {risk === 'NONE' ? '–' : <Toned tone={RISK_TONES[risk] ?? 'calm'}>{words(risk)}</Toned>}
                        </Table.Td>
                      </Table.Tr>
                    );
                  })}
                </Table.Tbody>
              </Table>
            </ScrollArea>
          )}
          {keys && (
            <Group justify="space-between">
              <Text size="sm" c="dimmed" role="status">
                {counted(keys.totalCount, 'key')}
              </Text>
              <Group gap="xs">
                <Button
                  variant="default"
                  size="xs"
                  disabled={cursors.length === 0}
                  onClick={() => setCursors(cursors.slice(0, -1))}
                >
                  Back
                </Button>
                <Button
                  variant="default"
                  size="xs"
                  disabled={!keys.pageInfo.hasNextPage}
                  onClick={() => setCursors([...cursors, keys.pageInfo.endCursor ?? ''])}
                >
                  More
                </Button>
              </Group>
            </Group>
          )}
        </>
      )}
    </Page>
  );
}
