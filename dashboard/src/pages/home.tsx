/** Where one begins: the first steps until a key is used, then where things stand. */
import { Anchor, Card, Group, List, SimpleGrid, Text, ThemeIcon, Title } from '@mantine/core';
import { Link } from 'react-router';
import { useQuery } from 'urql';
import { graphql } from '../graphql.ts';
import { number } from '../parts/bars.tsx';
import { Page } from '../parts/page.tsx';
import { Failure, Loading } from '../parts/states.tsx';
import { words } from '../parts/tones.tsx';
import { usePlace } from '../workspace.tsx';

const HOME = graphql(`
  query Home {
    taskCounts(groupBy: [STATUS]) { counts { status count } }
    projects(first: 1) { totalCount }
  }
`);
const KEYS = graphql(`
  query HomeKeys {
    apiKeys(first: 100) { totalCount nodes { id lastUsedAt requestsToday status } }
    keyReview(first: 50, risk: HIGH) { score apiKey { id name } }
    alerts(first: 1) { totalCount }
  }
`);

export default function HomePage() {
  const { person, may, environment } = usePlace();
  const [{ data, error, fetching }, again] = useQuery({ query: HOME });
  const [{ data: keys }] = useQuery({ query: KEYS, pause: !may('keys:read') });
  if (error && !data) {
    return (
      <Page title={`Welcome, ${person.name}`}>
        <Failure error={error} onRetry={() => again({ requestPolicy: 'network-only' })} />
      </Page>
    );
  }
  if (!data || fetching) return <Loading />;
  const counts = data.taskCounts?.[0]?.counts ?? [];
  const tasks = counts.reduce((sum, one) => sum + one.count, 0);
  const nodes = keys?.apiKeys?.nodes ?? [];
  const isWhole = nodes.length === keys?.apiKeys?.totalCount;
  const isUsed = !isWhole || nodes.some(({ lastUsedAt }) => lastUsedAt !== null);
  const review = keys?.keyReview ?? [];
  return (
    <Page title={`Welcome, ${person.name}`}>
      {may('keys:write') && keys && !isUsed && <FirstSteps hasKey={nodes.length > 1} />}
      <SimpleGrid cols={{ base: 1, sm: 2, lg: 3 }}>
        <Figure to="/tasks" label={environment === 'live' ? 'Tasks' : 'Tasks of the sandbox'} value={tasks}>
          {counts.map(({ status, count }) => `${words(status ?? 'none')} ${number(count)}`).join(' · ')}
        </Figure>
        <Figure to="/projects" label="Projects" value={data.projects?.totalCount ?? 0} />
        {keys?.apiKeys && (
          <Figure to="/settings/api-keys" label="API keys" value={keys.apiKeys.totalCount}>
            {number(nodes.reduce((sum, one) => sum + one.requestsToday, 0))} requests today
            {isWhole ? '' : ` by the newest ${nodes.length}`}
          </Figure>
        )}
        {keys?.keyReview && (
          <Figure to="/settings/review" label="Keys at high risk" value={review.length} isLeast={review.length === 50}>
            {review
              .slice(0, 5)
              .map(({ apiKey }) => apiKey?.name)
              .join(', ')}
          </Figure>
        )}
        {keys?.alerts && <Figure to="/settings/alerts" label="Alerts" value={keys.alerts.totalCount} />}
      </SimpleGrid>
    </Page>
  );
}

function Figure({
  to,
  label,
  value,
  isLeast = false,
  children,
}: {
  to: string;
  label: string;
  value: number;
  /** There may be more. */
  isLeast?: boolean;
  children?: React.ReactNode;
}) {
  return (
    <Card className="panel" p="md">
      <Text size="sm" c="dimmed">
        {label}
      </Text>
      <Anchor component={Link} to={to} fz={28} fw={650} c="inherit" underline="hover">
        {number(value)}
        {isLeast && '+'}
      </Anchor>
      {children && (
        <Text size="xs" c="dimmed" mt={4}>
          {children}
        </Text>
      )}
    </Card>
  );
}

function FirstSteps({ hasKey }: { hasKey: boolean }) {
  const step = (done: boolean, at: number) => (
    <ThemeIcon size={22} radius="xl" variant={done ? 'filled' : 'default'} aria-label={done ? 'done' : `step ${at}`}>
      <Text size="xs" fw={650}>
        {done ? '✓' : at}
      </Text>
    </ThemeIcon>
  );
  return (
    <Card className="panel" p="md">
      <Title order={2} mb="sm">
        First steps
      </Title>
      <List spacing="sm" center>
        <List.Item icon={step(true, 1)}>Create an account</List.Item>
        <List.Item icon={step(hasKey, 2)}>
          <Anchor component={Link} to="/settings/api-keys/new" underline="always">
            Generate a key
          </Anchor>{' '}
          from the operations that your program runs, so that it holds what they need and no more
        </List.Item>
        <List.Item icon={step(false, 3)}>
          <Group gap={4}>Use it: its page has a curl line that works, and shows each use</Group>
        </List.Item>
      </List>
    </Card>
  );
}
