import { Anchor, Card, Progress, SimpleGrid, Table, Text, Title } from '@mantine/core';
import { Link } from 'react-router';
import { useQuery } from 'urql';
import { graphql } from '../graphql.ts';
import { number } from '../parts/bars.tsx';
import { Page } from '../parts/page.tsx';
import { Failure, Loading } from '../parts/states.tsx';
import { When } from '../parts/time.tsx';
import { usePlace } from '../workspace.tsx';

const USAGE = graphql(`
  query Usage {
    viewer { workspace { name plan } }
    rateLimit {
      windows { name length limit remaining resetAt }
      cost { maxCost maxDepth maxAliases maxBatch maxCharacters pointsPerRequest }
    }
  }
`);
const KEYS = graphql(`
  query UsageKeys { apiKeys(first: 100) { totalCount nodes { id name requestsToday requestsThisMonth } } }
`);

export default function UsagePage() {
  const { may } = usePlace();
  const [{ data, error }, again] = useQuery({ query: USAGE });
  const [{ data: keys }] = useQuery({ query: KEYS, pause: !may('keys:read') });
  if (error && !data) {
    return (
      <Page title="Usage and limits">
        <Failure error={error} onRetry={() => again({ requestPolicy: 'network-only' })} />
      </Page>
    );
  }
  if (!data) return <Loading />;
  const { windows, cost } = data.rateLimit;
  const used = [...(keys?.apiKeys?.nodes ?? [])].sort((a, b) => b.requestsThisMonth - a.requestsThisMonth);
  const limits: readonly [string, string][] = [
    ['Points of an operation', number(cost.maxCost)],
    ['Points of one request', `${number(cost.pointsPerRequest)}; more count as further requests`],
    ['Depth', number(cost.maxDepth)],
    ['Aliases', number(cost.maxAliases)],
    ['Operations of a batch', number(cost.maxBatch)],
    ['Characters', number(cost.maxCharacters)],
  ];
  return (
    <Page
      title="Usage and limits"
      about={`The plan of ${data.viewer.workspace.name} is ${data.viewer.workspace.plan}. Each key has these limits for itself, and so have your sessions.`}
    >
      <SimpleGrid cols={{ base: 1, sm: 2 }}>
        {windows.map(({ name, limit, remaining, resetAt }) => (
          <Card key={name} className="panel" p="md">
            <Text size="sm" fw={600}>
              Requests per {name}
            </Text>
            <Progress
              my="xs"
              value={((limit - remaining) / limit) * 100}
              color="brand.7"
              aria-label={`${limit - remaining} of ${limit} used`}
            />
            <Text size="sm" c="dimmed">
              Your sessions used {number(limit - remaining)} of {number(limit)}; the next one is free again{' '}
              <When at={resetAt} />
            </Text>
          </Card>
        ))}
      </SimpleGrid>
      <section aria-label="Limits of an operation">
        <Title order={2} mb="xs">
          Limits of an operation
        </Title>
        <Table maw={560} aria-label="Limits of an operation">
          <Table.Tbody>
            {limits.map(([label, value]) => (
              <Table.Tr key={label}>
                <Table.Th scope="row" fw={400}>
                  {label}
                </Table.Th>
                <Table.Td>{value}</Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </section>
      {used.length > 0 && (
        <section aria-label="Requests of keys">
          <Title order={2} mb="xs">
            Requests of keys
          </Title>
          {used.length < (keys?.apiKeys?.totalCount ?? 0) && (
            <Text size="sm" c="dimmed" mb="xs">
              Of the newest {used.length} keys.
            </Text>
          )}
          <Table maw={560} aria-label="Requests of keys">
            <Table.Thead>
              <Table.Tr>
                <Table.Th>Key</Table.Th>
                <Table.Th>Today</Table.Th>
                <Table.Th>This month</Table.Th>
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {used.map(({ id, name, requestsToday, requestsThisMonth }) => (
                <Table.Tr key={id}>
                  <Table.Td style={{ overflowWrap: 'anywhere' }}>
                    <Anchor component={Link} to={`/settings/api-keys/${id}`} size="sm">
                      {name}
                    </Anchor>
                  </Table.Td>
                  <Table.Td>{number(requestsToday)}</Table.Td>
                  <Table.Td>{number(requestsThisMonth)}</Table.Td>
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        </section>
      )}
    </Page>
  );
}
