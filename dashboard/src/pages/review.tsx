/** Least privilege: keys that should be looked at, who may do what, and scopes that keys ask for. */
import {
  Alert,
  Anchor,
  Button,
  Card,
  Group,
  List,
  SegmentedControl,
  Stack,
  Table,
  Text,
  Textarea,
  Title,
} from '@mantine/core';
import { useState } from 'react';
import { Link } from 'react-router';
import { useQuery } from 'urql';
import { graphql } from '../graphql.ts';
import { number } from '../parts/bars.tsx';
import { Page } from '../parts/page.tsx';
import { Scopes } from '../parts/scopes.tsx';
import { Empty, Failure, Loading, wordsOf } from '../parts/states.tsx';
import { When } from '../parts/time.tsx';
import { RISK_TONES, Toned, words } from '../parts/tones.tsx';
import { useChange } from '../parts/useChange.ts';
import { usePlace } from '../workspace.tsx';

const REVIEW = graphql(`
  query Review($risk: KeyRisk) {
    keyReview(first: 50, risk: $risk) {
      risk score requests lastUsedAt
      reasons { message weight }
      proposal { scopes projects allowedIps }
      apiKey { id name scopes }
    }
    scopeGrants(first: 20) { nodes { id reason scopes minutes status createdAt endsAt apiKey { id name } } }
  }
`);
const WHO = graphql(`
  query WhoCan($document: String!) {
    whoCan(document: $document) { totalCount keys(first: 100) { apiKey { id name } grants } }
  }
`);
const APPROVE = graphql(`
  mutation Approve($input: ApproveGrantInput!) { approveGrant(input: $input) { scopeGrant { id status endsAt } } }
`);
const DENY = graphql(`
  mutation Deny($input: DenyGrantInput!) { denyGrant(input: $input) { scopeGrant { id status } } }
`);

type Risk = 'ALL' | 'HIGH' | 'MEDIUM' | 'LOW';

export default function ReviewPage() {
  const { may } = usePlace();
  const [risk, setRisk] = useState<Risk>('ALL');
  const [{ data, error }, again] = useQuery({ query: REVIEW, variables: { risk: risk === 'ALL' ? null : risk } });
  const approve = useChange(APPROVE);
  const deny = useChange(DENY);
  const reload = () => again({ requestPolicy: 'network-only' });
  const pending = data?.scopeGrants?.nodes.filter(({ status }) => status === 'PENDING') ?? [];
  const reviewed = data?.keyReview?.filter((one) => one.score > 0);
  return (
    <Page title="Least privilege" about="Keys that hold more than they use; the highest risk first.">
      {pending.length > 0 && (
        <Alert color="yellow" variant="outline" title="Keys ask for scopes">
          <Stack gap="xs">
            {(approve.error ?? deny.error) && (
              <Failure title="It was not decided" error={(approve.error ?? deny.error) as Error} />
            )}
            {pending.map(({ id, reason, scopes, minutes, apiKey, createdAt }) => (
              <Group key={id} justify="space-between">
                <div>
                  <Text size="sm">
                    {apiKey?.name} for {minutes} minutes: “{reason}” <When at={createdAt} />
                  </Text>
                  <Scopes scopes={scopes} />
                </div>
                {may('keys:write') && (
                  <Group gap="xs">
                    <Button
                      size="xs"
                      loading={approve.isRunning}
                      onClick={async () => (await approve.run({ input: { id } })) && reload()}
                    >
                      Approve
                    </Button>
                    <Button
                      size="xs"
                      variant="default"
                      loading={deny.isRunning}
                      onClick={async () => (await deny.run({ input: { id } })) && reload()}
                    >
                      Deny
                    </Button>
                  </Group>
                )}
              </Group>
            ))}
          </Stack>
        </Alert>
      )}
      <SegmentedControl
        aria-label="Risk"
        value={risk}
        onChange={(value) => setRisk(value as Risk)}
        data={(['ALL', 'HIGH', 'MEDIUM', 'LOW'] as const).map((value) => ({ value, label: words(value) }))}
        style={{ alignSelf: 'flex-start' }}
      />
      {error && !data && <Failure error={error} onRetry={reload} />}
      {!data && !error && <Loading />}
      {reviewed?.length === 0 && (
        <Empty title="Nothing to take back">No key has more than it uses, as far as its use shows.</Empty>
      )}
      {reviewed?.map(({ risk: level, score, requests, lastUsedAt, reasons, proposal, apiKey }) => (
        <Card key={apiKey?.id} className="panel" p="md">
          <Group justify="space-between">
            <Group gap="sm">
              <Anchor component={Link} to={`/settings/api-keys/${apiKey?.id}`} fw={600}>
                {apiKey?.name}
              </Anchor>
              <Toned tone={RISK_TONES[level] ?? 'calm'}>
                {words(level)}, {score} of 100
              </Toned>
            </Group>
            <Text size="sm" c="dimmed">
              {number(requests)} requests in 90 days, last <When at={lastUsedAt} />
            </Text>
          </Group>
          <List size="sm" my="xs">
            {reasons.map(({ message }) => (
              <List.Item key={message}>{message}</List.Item>
            ))}
          </List>
          {proposal.scopes && (
            <Group gap="xs">
              <Text size="sm">It would work with</Text>
              <Scopes scopes={proposal.scopes} />
            </Group>
          )}
        </Card>
      ))}
      <WhoCan />
    </Page>
  );
}

function WhoCan() {
  const [text, setText] = useState('');
  const [document, setDocument] = useState('');
  const [{ data, error, fetching }] = useQuery({ query: WHO, variables: { document }, pause: document === '' });
  return (
    <section aria-label="Who can do this">
      <Title order={2} mb="xs">
        Who can do this?
      </Title>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          setDocument(text.trim());
        }}
      >
        <Stack gap="xs" maw={760}>
          <Textarea
            label="An operation"
            placeholder="mutation { deleteTask(input: { id: &quot;...&quot; }) { deletedTaskId } }"
            autosize
            minRows={3}
            spellCheck={false}
            styles={{ input: { fontFamily: 'var(--mantine-font-family-monospace)', fontSize: 13 } }}
            value={text}
            onChange={({ currentTarget }) => setText(currentTarget.value)}
          />
          <Group>
            <Button type="submit" variant="default" loading={fetching && document !== ''} disabled={text.trim() === ''}>
              Ask
            </Button>
          </Group>
          {error && document !== '' && (
            <Alert color="red" variant="outline">
              {wordsOf(error).message}
            </Alert>
          )}
          {data?.whoCan && !error && (
            <Table aria-label="Keys that can">
              <Table.Tbody>
                {data.whoCan.keys.map(({ apiKey, grants }) => (
                  <Table.Tr key={apiKey?.id}>
                    <Table.Td>
                      <Anchor component={Link} to={`/settings/api-keys/${apiKey?.id}`} size="sm">
                        {apiKey?.name}
                      </Anchor>
                    </Table.Td>
                    <Table.Td>
                      <Scopes scopes={grants} />
                    </Table.Td>
                  </Table.Tr>
                ))}
                {data.whoCan.totalCount === 0 && (
                  <Table.Tr>
                    <Table.Td>No key that works can.</Table.Td>
                  </Table.Tr>
                )}
              </Table.Tbody>
            </Table>
          )}
        </Stack>
      </form>
    </section>
  );
}
