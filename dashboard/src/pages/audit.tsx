/** The audit log: who did what, from where; filtered, and taken away as a file. */
import {
  Anchor,
  Button,
  Code,
  Collapse,
  Group,
  ScrollArea,
  Select,
  Table,
  Text,
  TextInput,
  UnstyledButton,
} from '@mantine/core';
import { useState } from 'react';
import { Link } from 'react-router';
import { CombinedError, type OperationResult, useClient, useQuery } from 'urql';
import { graphql, type ResultOf } from '../graphql.ts';
import { number } from '../parts/bars.tsx';
import { Page } from '../parts/page.tsx';
import { Empty, Failure, Loading } from '../parts/states.tsx';
import { exact, When } from '../parts/time.tsx';
import { usePlace } from '../workspace.tsx';

const AUDIT = graphql(`
  query Audit($first: Int!, $after: String, $filter: AuditFilter) {
    auditLog(first: $first, after: $after, filter: $filter) {
      pageInfo { hasNextPage endCursor }
      nodes { id action actorKeyId actorUserId targetType targetId ip userAgent requestId changes createdAt }
    }
  }
`);
const ACTORS = graphql(`
  query AuditActors { users(first: 200) { nodes { id name } } }
`);
const KEYS = graphql(`
  query AuditKeys { apiKeys(first: 100) { nodes { id name } } }
`);
/** Where what an entry is about is shown. */
const PAGES: Readonly<Record<string, string>> = { ApiKey: '/settings/api-keys', Task: '/tasks' };

type Event = NonNullable<ResultOf<typeof AUDIT>['auditLog']>['nodes'][number];

const TARGETS = ['ApiKey', 'User', 'Invitation', 'Project', 'Task', 'Comment', 'Label', 'State'];
/** Entries of a file. */
const MOST = 5000;

export default function AuditPage() {
  const client = useClient();
  const [target, setTarget] = useState<string | null>(null);
  const [actor, setActor] = useState<string | null>(null);
  const [action, setAction] = useState('');
  const [cursors, setCursors] = useState<readonly string[]>([]);
  const [open, setOpen] = useState<string>();
  const [taken, setTaken] = useState<number>();
  const [failed, setFailed] = useState<CombinedError>();
  const [left, setLeft] = useState(false);
  const { may } = usePlace();
  const [{ data: people }] = useQuery({ query: ACTORS });
  const [{ data: keys }] = useQuery({ query: KEYS, pause: !may('keys:read') });
  const filter = {
    ...(target && { targetType: { eq: target } }),
    ...(actor && { actorUserId: { eq: actor } }),
    ...(action.trim() && { action: { contains: action.trim() } }),
  };
  const [{ data, error }, again] = useQuery({
    query: AUDIT,
    variables: { first: 50, after: cursors.at(-1) ?? null, filter },
  });
  const names = new Map(people?.users?.nodes.map(({ id, name }) => [id, name]));
  const keyNames = new Map(keys?.apiKeys?.nodes.map(({ id, name }) => [id, name]));
  const who = ({ actorUserId, actorKeyId }: Event) => {
    const user = actorUserId === null ? undefined : names.get(actorUserId);
    const key = actorKeyId === null ? undefined : keyNames.get(actorKeyId);
    const parts = [user, key && `key ${key}`].filter(Boolean);
    return parts.join(', ') || (actorKeyId ? 'a key' : 'the server');
  };
  const take = async () => {
    const events: Event[] = [];
    let after: string | null = null;
    setFailed(undefined);
    setLeft(false);
    do {
      setTaken(events.length);
      const answer: OperationResult<ResultOf<typeof AUDIT>> = await client
        .query(AUDIT, { first: 100, after, filter }, { requestPolicy: 'network-only' })
        .toPromise();
      const page: ResultOf<typeof AUDIT>['auditLog'] | undefined = answer.data?.auditLog;
      if (answer.error || !page) {
        setTaken(undefined);
        // A file of some of them would be taken for all.
        setFailed(answer.error ?? new CombinedError({ networkError: new Error('There is no answer.') }));
        return;
      }
      events.push(...page.nodes);
      after = page.pageInfo.hasNextPage ? page.pageInfo.endCursor : null;
    } while (after !== null && events.length < MOST);
    setTaken(undefined);
    setLeft(after !== null);
    const columns = [
      'createdAt',
      'action',
      'actorUserId',
      'actorKeyId',
      'targetType',
      'targetId',
      'ip',
      'userAgent',
      'requestId',
      'changes',
    ] as const;
    const rows = [columns.join(','), ...events.map((event) => columns.map((name) => cell(event[name])).join(','))];
    const address = URL.createObjectURL(new Blob([rows.join('\r\n')], { type: 'text/csv' }));
    const link = Object.assign(document.createElement('a'), { href: address, download: 'audit-log.csv' });
    link.click();
    URL.revokeObjectURL(address);
  };
  const log = data?.auditLog;
  const anew = () => setCursors([]);
  return (
    <Page
      title="Audit log"
      about="Every change, who made it and from where. Entries cannot be edited or deleted."
      actions={
        <Button variant="default" loading={taken !== undefined} onClick={() => void take()}>
          Export as CSV
        </Button>
      }
    >
      <Group gap="xs">
        <Select
          aria-label="About"
          placeholder="About anything"
          data={TARGETS}
          value={target}
          clearable
          clearButtonProps={{ 'aria-label': 'About anything' }}
          onChange={(value) => {
            setTarget(value);
            anew();
          }}
        />
        <Select
          aria-label="By"
          placeholder="By anybody"
          data={people?.users?.nodes.map(({ id, name }) => ({ value: id, label: name })) ?? []}
          value={actor}
          clearable
          searchable
          clearButtonProps={{ 'aria-label': 'By anybody' }}
          onChange={(value) => {
            setActor(value);
            anew();
          }}
        />
        <TextInput
          aria-label="Action"
          placeholder="revoke, task.update"
          value={action}
          onChange={({ currentTarget }) => {
            setAction(currentTarget.value);
            anew();
          }}
        />
        {taken !== undefined && (
          <Text size="sm" role="status">
            {taken} entries read
          </Text>
        )}
      </Group>
      {failed && <Failure error={failed} onRetry={() => void take()} />}
      {left && (
        <Text size="sm" role="status">
          The file has the newest {number(MOST)} entries that fit; there are older ones. Filter them to take fewer at a
          time.
        </Text>
      )}
      {error && !log && <Failure error={error} onRetry={() => again({ requestPolicy: 'network-only' })} />}
      {!log && !error && <Loading />}
      {log?.nodes.length === 0 &&
        (Object.keys(filter).length > 0 ? (
          <Empty title="No entry matches">Remove a filter.</Empty>
        ) : (
          <Empty title="No changes yet">Every change appears here: who made it, when and from where.</Empty>
        ))}
      {log && log.nodes.length > 0 && (
        <ScrollArea type="auto" className="panel" tabIndex={0} role="region" aria-label="Audit log">
          <Table miw={760} verticalSpacing={6}>
            <Table.Thead>
              <Table.Tr>
                <Table.Th>When</Table.Th>
                <Table.Th>Action</Table.Th>
                <Table.Th>By</Table.Th>
                <Table.Th>About</Table.Th>
                <Table.Th>From</Table.Th>
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {log.nodes.map((event) => (
                <Table.Tr key={event.id} style={{ verticalAlign: 'top' }}>
                  <Table.Td>
                    <When at={event.createdAt} />
                  </Table.Td>
                  <Table.Td>
                    <UnstyledButton
                      aria-expanded={open === event.id}
                      onClick={() => setOpen(open === event.id ? undefined : event.id)}
                      fz="sm"
                      style={{ textDecoration: 'underline dotted' }}
                    >
                      <code>{event.action}</code>
                    </UnstyledButton>
                    <Collapse expanded={open === event.id}>
                      {open === event.id && (
                        <Code block mt={4} style={{ whiteSpace: 'pre-wrap', overflowWrap: 'anywhere', maxWidth: 520 }}>
                          {details(event)}
                        </Code>
                      )}
                    </Collapse>
                  </Table.Td>
                  <Table.Td>{who(event)}</Table.Td>
                  <Table.Td>
                    {event.targetType} <Target event={event} />
                  </Table.Td>
                  <Table.Td>{event.ip ?? '–'}</Table.Td>
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        </ScrollArea>
      )}
      {log && (
        <Group justify="flex-end" gap="xs">
          <Button
            variant="default"
            size="xs"
            disabled={cursors.length === 0}
            onClick={() => setCursors(cursors.slice(0, -1))}
          >
            Newer
          </Button>
          <Button
            variant="default"
            size="xs"
            disabled={!log.pageInfo.hasNextPage}
            onClick={() => setCursors([...cursors, log.pageInfo.endCursor ?? ''])}
          >
            Older
          </Button>
        </Group>
      )}
    </Page>
  );
}

function Target({ event: { targetType, targetId } }: { event: Event }) {
  const page = PAGES[targetType ?? ''];
  const end = <code style={{ fontSize: 11 }}>{targetId?.slice(-8)}</code>;
  if (!page) return end;
  return (
    <Anchor component={Link} to={`${page}/${targetId}`} size="sm">
      {end}
    </Anchor>
  );
}

function details({ createdAt, targetId, actorKeyId, userAgent, requestId, changes }: Event): string {
  let shown: unknown = null;
  try {
    shown = changes === null ? null : JSON.parse(changes);
  } catch {
    shown = changes;
  }
  return JSON.stringify(
    { at: exact(createdAt), target: targetId, key: actorKeyId, userAgent, requestId, changes: shown },
    undefined,
    2,
  );
}

/** A spreadsheet runs what begins as a formula, and here stands what clients sent. */
function cell(value: string | null): string {
  const text = value ?? '';
  const safe = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
