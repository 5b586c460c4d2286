import { Anchor, Card, Group, Text } from '@mantine/core';
import { Link } from 'react-router';
import { useQuery } from 'urql';
import { graphql } from '../graphql.ts';
import { Page } from '../parts/page.tsx';
import { Empty, Failure, Loading } from '../parts/states.tsx';
import { When } from '../parts/time.tsx';
import { type Tone, Toned, words } from '../parts/tones.tsx';

const ALERTS = graphql(`
  query Alerts {
    alerts(first: 100) { totalCount nodes { id kind message createdAt key { id name } } }
  }
`);

const TONES: Readonly<Record<string, Tone>> = {
  KEY_LEAKED: 'bad',
  KEYS_GUESSED: 'bad',
  AUTHENTICATION_FAILURES: 'bad',
  KEY_RENEWED: 'good',
  KEY_UNUSED: 'calm',
};

export default function AlertsPage() {
  const [{ data, error }, again] = useQuery({ query: ALERTS });
  return (
    <Page title="Alerts" about="What happened to keys that somebody should look at, newest first.">
      {error && !data && <Failure error={error} onRetry={() => again({ requestPolicy: 'network-only' })} />}
      {!data && !error && <Loading />}
      {data?.alerts?.nodes.length === 0 && (
        <Empty title="No alerts">
          Leaked and guessed keys, new networks, and limits that are reached are told here.
        </Empty>
      )}
      {data?.alerts?.nodes.map(({ id, kind, message, createdAt, key }) => (
        <Card key={id} className="panel" p="sm">
          <Group justify="space-between">
            <Toned tone={TONES[kind] ?? 'warn'}>{words(kind)}</Toned>
            <When at={createdAt} />
          </Group>
          <Text size="sm" mt={4}>
            {message}
          </Text>
          {key && (
            <Anchor component={Link} to={`/settings/api-keys/${key.id}`} size="sm">
              {key.name}
            </Anchor>
          )}
        </Card>
      ))}
    </Page>
  );
}
