/** The list of tasks: filtered, searched and sorted by the server, and as long as it is. */
import { Anchor, Button, Group, Menu, MultiSelect, Select, Text, TextInput } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { useVirtualizer } from '@tanstack/react-virtual';
import { useCallback, useEffect, useRef, useState } from 'react';
import { Link, useSearchParams } from 'react-router';
import { useClient, useQuery } from 'urql';
import { graphql } from '../graphql.ts';
import { counted } from '../parts/bars.tsx';
import { Dialog } from '../parts/dialog.tsx';
import { NewTask } from '../parts/newTask.tsx';
import { Page } from '../parts/page.tsx';
import { Empty, Failure, Loading } from '../parts/states.tsx';
import { STATUSES, type Status, type TaskRow, useTaskNews } from '../parts/tasks.ts';
import { day, dueDay, dueIn, dueOn } from '../parts/time.tsx';
import { STATUS_TONES, Toned, words } from '../parts/tones.tsx';
import { usePlace } from '../workspace.tsx';

const TASKS = graphql(`
  query Tasks($after: String, $filter: TaskFilter, $search: String, $orderBy: [TaskOrder!], $count: Boolean!) {
    tasks(first: 100, after: $after, filter: $filter, search: $search, orderBy: $orderBy) {
      totalCount @include(if: $count)
      pageInfo { hasNextPage endCursor }
      nodes {
        id identifier title status priority dueDate position updatedAt
        tags
        project { id name }
        assignee { id name }
        state { id name color }
      }
    }
  }
`);
const CHOICES = graphql(`
  query TaskChoices {
    projects(first: 200, orderBy: [{ field: NAME }]) { nodes { id name } }
    viewer { userId }
  }
`);

const ORDERS = {
  newest: { label: 'Newest', orderBy: [{ field: 'CREATED_AT', direction: 'DESC' }] },
  updated: { label: 'Changed last', orderBy: [{ field: 'UPDATED_AT', direction: 'DESC' }] },
  due: { label: 'Due first', orderBy: [{ field: 'DUE_DATE', direction: 'ASC' }] },
  priority: { label: 'Most urgent', orderBy: [{ field: 'PRIORITY', direction: 'DESC' }] },
  title: { label: 'Title', orderBy: [{ field: 'TITLE', direction: 'ASC' }] },
} as const;
type Order = keyof typeof ORDERS;

const VIEWS = 'taskgate:views';
type View = readonly [name: string, query: string];
const readViews = (): View[] => {
  try {
    const views: unknown = JSON.parse(localStorage.getItem(VIEWS) ?? '[]');
    return Array.isArray(views)
      ? views.filter((one) => Array.isArray(one) && one.length === 2).map(([a, b]) => [String(a), String(b)])
      : [];
  } catch {
    return [];
  }
};

export default function TasksPage() {
  const { may } = usePlace();
  const [search, setSearch] = useSearchParams();
  const [text, setText] = useState(search.get('q') ?? '');
  const [terms] = useDebouncedValue(text.trim(), 250);
  const [{ data: choices }] = useQuery({ query: CHOICES });
  const statuses = search
    .getAll('status')
    .filter((one): one is Status => (STATUSES as readonly string[]).includes(one));
  const project = search.get('project');
  const mine = search.get('mine') === '1';
  const order: Order = Object.hasOwn(ORDERS, search.get('order') ?? '') ? (search.get('order') as Order) : 'newest';
  const change = useCallback(
    (name: string, values: readonly string[]) =>
      setSearch(
        (before) => {
          const next = new URLSearchParams(before);
          next.delete(name);
          for (const value of values) if (value !== '') next.append(name, value);
          return next;
        },
        { replace: true },
      ),
    [setSearch],
  );
  useEffect(() => {
    if ((search.get('q') ?? '') !== terms) change('q', [terms]);
  }, [terms, search, change]);
  const me = choices?.viewer.userId;
  const filter = {
    ...(statuses.length > 0 && { status: { in: statuses } }),
    ...(project && { projectId: { eq: project } }),
    ...(mine && me && { assigneeId: { eq: me } }),
  };
  const list = useTaskList(filter, terms, order);
  const isFiltered = terms !== '' || Object.keys(filter).length > 0;
  return (
    <Page
      title="Tasks"
      actions={may('tasks:write') && <NewTask projectId={project ?? undefined} onDone={list.reload} />}
    >
      <Group gap="xs" align="flex-end">
        <TextInput
          aria-label="Search tasks"
          placeholder="Search"
          value={text}
          onChange={({ currentTarget }) => setText(currentTarget.value)}
        />
        <MultiSelect
          aria-label="Status"
          placeholder={statuses.length === 0 ? 'Any status' : undefined}
          data={STATUSES.map((value) => ({ value, label: words(value) }))}
          value={statuses}
          onChange={(values) => change('status', values)}
          miw={160}
          hidePickedOptions
        />
        <Select
          aria-label="Project"
          placeholder="Any project"
          data={choices?.projects?.nodes.map(({ id, name }) => ({ value: id, label: name })) ?? []}
          value={project}
          onChange={(value) => change('project', [value ?? ''])}
          clearable
          searchable
          clearButtonProps={{ 'aria-label': 'Any project' }}
        />
        <Button
          variant={mine ? 'filled' : 'default'}
          aria-pressed={mine}
          onClick={() => change('mine', [mine ? '' : '1'])}
        >
          Assigned to me
        </Button>
        <Select
          aria-label="Order"
          data={Object.entries(ORDERS).map(([value, { label }]) => ({ value, label }))}
          value={order}
          allowDeselect={false}
          onChange={(value) => change('order', [value ?? ''])}
          w={150}
        />
        <Views query={search.toString()} onChoose={(query) => setSearch(new URLSearchParams(query))} />
      </Group>
      {list.error && <Failure error={list.error} onRetry={list.reload} />}
      {!list.error && list.rows === undefined && <Loading />}
      {list.rows?.length === 0 && (
        <Empty
          title={isFiltered ? 'No task fits' : 'No tasks yet'}
          action={
            isFiltered && (
              <Button
                variant="default"
                onClick={() => {
                  setText('');
                  setSearch(new URLSearchParams());
                }}
              >
                Show all
              </Button>
            )
          }
        >
          {isFiltered
            ? 'Take a filter away, or search for other words.'
            : 'Create one here, or with any client of the API.'}
        </Empty>
      )}
      {list.rows && list.rows.length > 0 && (
        <>
          <Rows rows={list.rows} onEnd={list.more} />
          <Text size="sm" c="dimmed" role="status">
            {counted(list.total ?? list.rows.length, 'task')}
          </Text>
        </>
      )}
    </Page>
  );
}

function useTaskList(filter: object, search: string, order: Order) {
  const client = useClient();
  const [rows, setRows] = useState<readonly TaskRow[]>();
  const [total, setTotal] = useState<number>();
  const [error, setError] = useState<Error>();
  const [generation, setGeneration] = useState(0);
  const next = useRef<{ cursor: string | null; isBusy: boolean; list: number }>({
    cursor: null,
    isBusy: false,
    list: 0,
  });
  const key = JSON.stringify([filter, search, order]);
  const load = useCallback(
    async (after: string | null, isWanted: () => boolean) => {
      const [wanted, terms, by] = JSON.parse(key) as [object, string, Order];
      next.current.isBusy = true;
      if (after === null) next.current.list += 1;
      const variables = {
        after,
        filter: wanted,
        search: terms || null,
        orderBy: [...ORDERS[by].orderBy],
        count: after === null,
      };
      const result = await client.query(TASKS, variables, { requestPolicy: 'network-only' }).toPromise();
      if (!isWanted()) return;
      next.current.isBusy = false;
      const page = result.data?.tasks;
      if (!page) {
        setError(result.error);
        return;
      }
      setError(undefined);
      next.current.cursor = page.pageInfo.hasNextPage ? page.pageInfo.endCursor : null;
      if (after === null) setTotal(page.totalCount);
      setRows((before) => (after === null ? page.nodes : [...(before ?? []), ...page.nodes]));
    },
    [client, key],
  );
  // biome-ignore lint/correctness/useExhaustiveDependencies: a reload begins anew
  useEffect(() => {
    let isWanted = true;
    void load(null, () => isWanted);
    return () => {
      isWanted = false;
    };
  }, [load, generation]);
  const reload = useCallback(() => setGeneration((one) => one + 1), []);
  const soon = useRef<number>(undefined);
  useEffect(() => () => window.clearTimeout(soon.current), []);
  useTaskNews(
    undefined,
    ({ action, taskId, task }) => {
      if (action === 'CREATED') {
        // Once for all that come at once: an import makes hundreds.
        soon.current ??= window.setTimeout(() => {
          soon.current = undefined;
          reload();
        }, GATHER);
      } else if (action === 'DELETED') setRows((before) => before?.filter(({ id }) => id !== taskId));
      else if (task) setRows((before) => before?.map((row) => (row.id === taskId ? task : row)));
    },
    reload,
  );
  const more = useCallback(() => {
    const { cursor, isBusy, list } = next.current;
    // Another filter or order is another list.
    if (cursor !== null && !isBusy) void load(cursor, () => next.current.list === list);
  }, [load]);
  return { rows, total, error, reload, more };
}

/** Milliseconds in which new tasks are gathered before the list is read again. */
const GATHER = 500;

const ROW_HEIGHT = 44;

/** Only the rows that are seen are in the page. */
function Rows({ rows, onEnd }: { rows: readonly TaskRow[]; onEnd: () => void }) {
  const parent = useRef<HTMLElement>(null);
  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => parent.current,
    estimateSize: () => ROW_HEIGHT,
    overscan: 12,
  });
  const items = virtual.getVirtualItems();
  const last = items.at(-1)?.index ?? 0;
  useEffect(() => {
    if (last >= rows.length - 30) onEnd();
  }, [last, rows.length, onEnd]);
  return (
    <section
      ref={parent}
      className="panel"
      aria-label="Tasks"
      // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls is reached by the keyboard
      tabIndex={0}
      style={{ height: 'min(calc(100vh - 260px), 1400px)', minHeight: 240, overflow: 'auto' }}
    >
      <ul
        style={{
          height: virtual.getTotalSize(),
          position: 'relative',
          margin: 0,
          padding: 0,
          listStyle: 'none',
        }}
      >
        {items.map(({ key, index, start }) => {
          const task = rows[index];
          if (!task) return null;
          return (
            <li
              key={key}
              className="task"
              style={{ transform: `translateY(${start}px)`, height: ROW_HEIGHT }}
              aria-setsize={rows.length}
              aria-posinset={index + 1}
            >
              <Text span size="xs" c="dimmed" w={80} style={{ flex: 'none' }}>
                {task.identifier}
              </Text>
              <Anchor component={Link} to={`/tasks/${task.id}`} size="sm" c="inherit" className="grow" truncate>
                {task.title}
              </Anchor>
              {task.project && (
                <Text span size="xs" c="dimmed" maw={140} truncate className="wide">
                  {task.project.name}
                </Text>
              )}
              {task.assignee && (
                <Text span size="xs" maw={120} truncate className="wide">
                  {task.assignee.name}
                </Text>
              )}
              {task.priority !== 'NONE' && task.priority && (
                <Text span size="xs" fw={600} className="wide">
                  {words(task.priority)}
                </Text>
              )}
              {task.dueDate && (
                <Text span size="xs" title={day(dueOn(dueDay(task.dueDate)))} className="wide">
                  due {dueIn(task.dueDate)}
                </Text>
              )}
              <span style={{ width: 110, flex: 'none' }}>
                <Toned tone={STATUS_TONES[task.status] ?? 'calm'}>{task.state?.name ?? words(task.status)}</Toned>
              </span>
            </li>
          );
        })}
      </ul>
    </section>
  );
}

function Views({ query, onChoose }: { query: string; onChoose: (query: string) => void }) {
  const [views, setViews] = useState(readViews);
  const keep = (next: View[]) => {
    localStorage.setItem(VIEWS, JSON.stringify(next));
    setViews(next);
  };
  const [isNaming, setNaming] = useState(false);
  const [name, setName] = useState('');
  const add = () => {
    const wanted = name.trim().slice(0, 60);
    if (wanted === '') return;
    keep([...views.filter(([other]) => other !== wanted), [wanted, query]]);
    setNaming(false);
    setName('');
  };
  return (
    <>
      <Menu position="bottom-end">
        <Menu.Target>
          <Button variant="default">Views</Button>
        </Menu.Target>
        <Menu.Dropdown>
          {views.map(([name, saved]) => (
            <Menu.Item key={name} onClick={() => onChoose(saved)}>
              {name}
            </Menu.Item>
          ))}
          {views.length > 0 && <Menu.Divider />}
          <Menu.Item onClick={() => setNaming(true)}>Save this view</Menu.Item>
          {views.some(([, saved]) => saved === query) && (
            <Menu.Item onClick={() => keep(views.filter(([, saved]) => saved !== query))}>Delete this view</Menu.Item>
          )}
        </Menu.Dropdown>
      </Menu>
      <Dialog title="Save this view" opened={isNaming} onClose={() => setNaming(false)}>
        <form
          onSubmit={(event) => {
            event.preventDefault();
            add();
          }}
        >
          <Group align="flex-end">
            <TextInput
              className="grow"
              label="Name"
              data-autofocus
              value={name}
              onChange={({ currentTarget }) => setName(currentTarget.value)}
            />
            <Button type="submit">Save</Button>
          </Group>
        </form>
      </Dialog>
    </>
  );
}
