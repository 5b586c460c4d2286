/** A project's board: its states as columns. Cards are dragged, or moved by the keyboard (Alt and an arrow) and by a menu. */
import { ActionIcon, Anchor, Group, Menu, Select, Text, Title, VisuallyHidden } from '@mantine/core';
import { useCallback, useEffect, useMemo, useRef, useState } from 'react';
import { Link, useSearchParams } from 'react-router';
import { useQuery } from 'urql';
import { graphql, type ResultOf } from '../graphql.ts';
import { number } from '../parts/bars.tsx';
import { NewTask } from '../parts/newTask.tsx';
import { Page } from '../parts/page.tsx';
import { Empty, Failure, Loading } from '../parts/states.tsx';
import { useTaskNews } from '../parts/tasks.ts';
import { words } from '../parts/tones.tsx';
import { useChange } from '../parts/useChange.ts';
import { usePlace } from '../workspace.tsx';

const PROJECTS = graphql(`
  query BoardProjects { projects(first: 200, orderBy: [{ field: NAME }]) { nodes { id name } } }
`);
const BOARD = graphql(`
  query Board($id: ID!) {
    project(id: $id) {
      id
      name
      states(first: 30, orderBy: [{ field: ORDER }]) {
        nodes {
          id name color category
          tasks(first: 60, orderBy: [{ field: POSITION }]) {
            totalCount
            nodes { id identifier title priority assignee { name } tags }
          }
        }
      }
    }
  }
`);
const MOVE = graphql(`
  mutation MoveCard($input: MoveTaskInput!) { moveTask(input: $input) { task { id } } }
`);

type State = NonNullable<NonNullable<NonNullable<ResultOf<typeof BOARD>['project']>['states']>['nodes'][number]>;
type Card = NonNullable<State['tasks']>['nodes'][number];

/** Where a card goes: into a state, before another card of it, or at its end. */
interface Target {
  readonly stateId: string;
  readonly beforeId?: string | undefined;
}

export default function BoardPage() {
  const { may } = usePlace();
  const [search, setSearch] = useSearchParams();
  const [{ data: list, error: listError }] = useQuery({ query: PROJECTS });
  const projects = list?.projects?.nodes;
  const id = search.get('project') ?? projects?.[0]?.id;
  const [{ data, error }, again] = useQuery({ query: BOARD, variables: { id: id ?? '' }, pause: !id });
  const move = useChange(MOVE);
  const [spoken, setSpoken] = useState('');
  const reload = useCallback(() => again({ requestPolicy: 'network-only' }), [again]);
  const timer = useRef<number>(undefined);
  useTaskNews(id, () => {
    // Many changes at once are one reading.
    window.clearTimeout(timer.current);
    timer.current = window.setTimeout(reload, 150);
  });
  useEffect(() => () => window.clearTimeout(timer.current), []);
  const shown = data?.project?.id === id ? data?.project : undefined;
  const fromServer = useMemo(() => shown?.states?.nodes ?? [], [shown]);
  /** As it is after a move, until the server has answered. */
  const [moved, setMoved] = useState<readonly State[]>();
  // biome-ignore lint/correctness/useExhaustiveDependencies: what the server says goes before what was thought
  useEffect(() => setMoved(undefined), [fromServer]);
  const states = moved ?? fromServer;
  const carry = async (card: Card, target: Target) => {
    setMoved(placed(states, card, target));
    const { stateId, beforeId } = target;
    const done = await move.run({ input: { id: card.id, stateId, ...(beforeId && { beforeId }) } });
    if (done) setSpoken(`${card.identifier} is in ${states.find((one) => one.id === stateId)?.name}`);
    else setMoved(undefined);
    reload();
  };
  if (listError && !projects) return <Failure error={listError} />;
  if (!projects) return <Loading />;
  if (projects.length === 0)
    return <Empty title="No project yet">A board is a project's. Create one under Projects.</Empty>;
  const canWrite = may('tasks:write');
  return (
    <Page
      title={shown?.name ?? 'Board'}
      actions={
        <>
          <Select
            aria-label="Project"
            data={projects.map((one) => ({ value: one.id, label: one.name }))}
            value={id ?? null}
            allowDeselect={false}
            searchable
            onChange={(next) => next && setSearch({ project: next })}
          />
          {canWrite && <NewTask key={id} projectId={id} onDone={reload} />}
        </>
      }
    >
      {error && !shown && <Failure error={error} onRetry={reload} />}
      {move.error && <Failure title="The card was not moved" error={move.error} />}
      {!shown && !error && <Loading />}
      <VisuallyHidden role="status">{spoken}</VisuallyHidden>
      {shown && states.length === 0 && <Empty title="The project has no states">Its tasks are in the list.</Empty>}
      {shown && states.length > 0 && <Columns states={states} canWrite={canWrite} onMove={carry} />}
    </Page>
  );
}

function placed(states: readonly State[], card: Card, { stateId, beforeId }: Target): State[] {
  return states.map((state) => {
    const tasks = state.tasks;
    if (!tasks) return state;
    const rest = tasks.nodes.filter(({ id }) => id !== card.id);
    if (state.id !== stateId) {
      return { ...state, tasks: { totalCount: tasks.totalCount - (tasks.nodes.length - rest.length), nodes: rest } };
    }
    const at = beforeId === undefined ? rest.length : rest.findIndex(({ id }) => id === beforeId);
    const nodes = rest.toSpliced(at < 0 ? rest.length : at, 0, card);
    return { ...state, tasks: { totalCount: tasks.totalCount + nodes.length - tasks.nodes.length, nodes } };
  });
}

function Columns({
  states,
  canWrite,
  onMove,
}: {
  states: readonly State[];
  canWrite: boolean;
  onMove: (card: Card, target: Target) => Promise<void>;
}) {
  const [dragged, setDragged] = useState<Card>();
  const [over, setOver] = useState<string>();
  const drop = (target: Target) => {
    setOver(undefined);
    if (dragged && target.beforeId !== dragged.id) void onMove(dragged, target);
    setDragged(undefined);
  };
  const byKey = (event: React.KeyboardEvent, card: Card, at: number, index: number) => {
    if (!event.altKey || !canWrite) return;
    const target = targetOf(event.key, states, at, index);
    if (!target) return;
    event.preventDefault();
    void onMove(card, target).then(() => document.getElementById(`card-${card.id}`)?.focus());
  };
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls is reached by the keyboard
    <section className="board" aria-label="Board" tabIndex={0}>
      {states.map((state, at) => {
        const cards = state.tasks?.nodes ?? [];
        return (
          // biome-ignore lint/a11y/noStaticElementInteractions: a place to drop; the keyboard has Alt and arrows
          <div
            key={state.id}
            className="column"
            data-over={over === state.id}
            onDragOver={(event) => {
              if (!dragged) return;
              event.preventDefault();
              setOver(state.id);
            }}
            onDrop={(event) => {
              event.preventDefault();
              drop({ stateId: state.id });
            }}
          >
            <Group justify="space-between" px={4} pb={8}>
              <Title order={2} fz="sm">
                {state.name}
              </Title>
              <Text size="xs" c="dimmed">
                {number(state.tasks?.totalCount ?? 0)}
              </Text>
            </Group>
            <ul className="cards" aria-label={state.name}>
              {cards.map((card, index) => (
                <li
                  key={card.id}
                  className="card"
                  draggable={canWrite}
                  data-dragging={dragged?.id === card.id}
                  onDragStart={(event) => {
                    event.dataTransfer.effectAllowed = 'move';
                    setDragged(card);
                  }}
                  onDragEnd={() => {
                    setDragged(undefined);
                    setOver(undefined);
                  }}
                  onDrop={(event) => {
                    event.preventDefault();
                    event.stopPropagation();
                    drop({ stateId: state.id, beforeId: card.id });
                  }}
                >
                  <Group justify="space-between" wrap="nowrap" align="flex-start" gap={4}>
                    <Anchor
                      id={`card-${card.id}`}
                      component={Link}
                      to={`/tasks/${card.id}`}
                      size="sm"
                      c="inherit"
                      onKeyDown={(event) => byKey(event, card, at, index)}
                      style={{ overflowWrap: 'anywhere' }}
                    >
                      {card.title}
                    </Anchor>
                    {canWrite && <CardMenu card={card} state={state} states={states} onMove={onMove} />}
                  </Group>
                  <Text size="xs" c="dimmed">
                    {[
                      card.identifier,
                      card.priority && card.priority !== 'NONE' && words(card.priority),
                      card.assignee?.name,
                      ...card.tags,
                    ]
                      .filter(Boolean)
                      .join(' · ')}
                  </Text>
                </li>
              ))}
            </ul>
            {(state.tasks?.totalCount ?? 0) > cards.length && (
              <Anchor component={Link} to="/tasks" size="xs" p={4}>
                and {number((state.tasks?.totalCount ?? 0) - cards.length)} more in the list
              </Anchor>
            )}
          </div>
        );
      })}
    </section>
  );
}

/** Where an arrow leads from a column and a place in it; undefined: nowhere. */
function targetOf(key: string, states: readonly State[], at: number, index: number): Target | undefined {
  const here = states[at];
  const cards = here?.tasks?.nodes ?? [];
  if (!here) return undefined;
  if (key === 'ArrowUp' && index > 0) return { stateId: here.id, beforeId: cards[index - 1]?.id };
  if (key === 'ArrowDown' && index < cards.length - 1) return { stateId: here.id, beforeId: cards[index + 2]?.id };
  const beside = key === 'ArrowLeft' ? states[at - 1] : key === 'ArrowRight' ? states[at + 1] : undefined;
  return beside && { stateId: beside.id, beforeId: beside.tasks?.nodes[0]?.id };
}

function CardMenu({
  card,
  state,
  states,
  onMove,
}: {
  card: Card;
  state: State;
  states: readonly State[];
  onMove: (card: Card, target: Target) => Promise<void>;
}) {
  return (
    <Menu position="bottom-end" withinPortal>
      <Menu.Target>
        <ActionIcon variant="subtle" color="gray" c="dimmed" size="sm" aria-label={`Move ${card.identifier}`}>
          <span aria-hidden="true">⋯</span>
        </ActionIcon>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Label>Move to</Menu.Label>
        {states
          .filter(({ id }) => id !== state.id)
          .map((other) => (
            <Menu.Item key={other.id} onClick={() => void onMove(card, { stateId: other.id })}>
              {other.name}
            </Menu.Item>
          ))}
      </Menu.Dropdown>
    </Menu>
  );
}
