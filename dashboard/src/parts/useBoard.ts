/** A project's board as the server has it, changed by each piece of news, so that it is read once and not after every move. */
import { useCallback, useEffect, useRef, useState } from 'react';
import { useClient } from 'urql';
import { graphql, type ResultOf } from '../graphql.ts';
import { type TaskNews, useTaskNews } from './tasks.ts';
import { useChange } from './useChange.ts';

const BOARD = graphql(`
  query Board($id: ID!, $open: TaskFilter!, $closed: TaskFilter!, $all: TaskFilter!) {
    project(id: $id) {
      id
      name
      states(first: 50, orderBy: [{ field: ORDER }]) { nodes { id name } }
    }
    open: tasks(first: 150, filter: $open, orderBy: [{ field: POSITION }]) {
      nodes { id identifier title priority position tags assignee { id name } state { id } }
    }
    closed: tasks(first: 40, filter: $closed, orderBy: [{ field: POSITION }]) {
      nodes { id identifier title priority position tags assignee { id name } state { id } }
    }
    taskCounts(groupBy: [STATE], filter: $all) { counts { id count } }
  }
`);
const MOVE = graphql(`
  mutation MoveCard($input: MoveTaskInput!) {
    moveTask(input: $input) { task { id position state { id } } }
  }
`);

export type Card = NonNullable<ResultOf<typeof BOARD>['open']>['nodes'][number];
export interface Column {
  readonly id: string;
  readonly name: string;
  readonly cards: readonly Card[];
  /** Of all tasks in it, those that are not shown too. */
  readonly count: number;
}
/** Where a card goes: into a state, before another card of it, or at its end. */
export interface Target {
  readonly stateId: string;
  readonly beforeId?: string | undefined;
}

interface Board {
  readonly id: string;
  readonly name: string;
  readonly states: readonly { id: string; name: string }[];
  readonly cards: readonly Card[];
  readonly counts: ReadonlyMap<string, number>;
}

export function useBoard(id: string | undefined) {
  const client = useClient();
  const [board, setBoard] = useState<Board>();
  /** News since each reading began that is under way. */
  const meanwhile = useRef(new Set<TaskNews[]>());
  const [error, setError] = useState<Error>();
  const { run, error: moveError } = useChange(MOVE);
  const load = useCallback(
    async (isWanted: () => boolean) => {
      if (id === undefined) return;
      const all = { projectId: { eq: id } };
      const closed = { ...all, status: { in: ['DONE' as const, 'CANCELED' as const] } };
      const open = { ...all, status: { nin: ['DONE' as const, 'CANCELED' as const] } };
      const reading: TaskNews[] = [];
      meanwhile.current.add(reading);
      const result = await client
        .query(BOARD, { id, open, closed, all }, { requestPolicy: 'network-only' })
        .toPromise();
      meanwhile.current.delete(reading);
      if (!isWanted()) return;
      const { project, open: begun, closed: ended, taskCounts } = result.data ?? {};
      // What was read stays on the screen, whatever fails later.
      setError(project ? undefined : result.error);
      if (!project) return;
      const read: Board = {
        ...{ id, name: project.name, states: project.states?.nodes ?? [] },
        cards: [...(begun?.nodes ?? []), ...(ended?.nodes ?? [])],
        counts: new Map(taskCounts?.[0]?.counts.map((one) => [one.id ?? '', one.count])),
      };
      // What came while it was read may be newer.
      setBoard(reading.reduce(withNews, read));
    },
    [client, id],
  );
  useEffect(() => {
    let isWanted = true;
    void load(() => isWanted);
    return () => {
      isWanted = false;
    };
  }, [load]);
  const reload = useCallback(() => void load(() => true), [load]);
  useTaskNews(
    id,
    (news) => {
      for (const reading of meanwhile.current) reading.push(news);
      setBoard((before) => before && withNews(before, news));
    },
    reload,
  );
  const move = useCallback(
    async (card: Card, target: Target): Promise<boolean> => {
      setBoard((before) => before && withCard(before, placed(before, card, target)));
      const { stateId, beforeId } = target;
      const done = await run({ input: { id: card.id, stateId, ...(beforeId && { beforeId }) } });
      const moved = done?.moveTask?.task;
      setBoard((before) => before && withCard(before, latest(before, card, moved ?? card)));
      return moved != null;
    },
    [run],
  );
  const shown = board?.id === id ? board : undefined;
  return { name: shown?.name, columns: shown && columnsOf(shown), error, moveError, reload, move };
}

function columnsOf({ states, cards, counts }: Board): Column[] {
  return states.map(({ id, name }) => {
    const own = cards
      .filter(({ state }) => state?.id === id)
      .sort((a, b) => a.position - b.position || (a.id < b.id ? -1 : 1));
    return { id, name, cards: own, count: Math.max(counts.get(id) ?? 0, own.length) };
  });
}

/** The card as it is by now, which news may have told, at the place where it is. */
function latest({ cards }: Board, card: Card, { position, state }: Pick<Card, 'position' | 'state'>): Card {
  return { ...(cards.find(({ id }) => id === card.id) ?? card), position, state };
}

/** The card as it will be, as far as one can know before the server says it. */
function placed({ cards }: Board, card: Card, { stateId, beforeId }: Target): Card {
  const own = cards
    .filter(({ id, state }) => state?.id === stateId && id !== card.id)
    .sort((a, b) => a.position - b.position);
  const at = own.findIndex(({ id }) => id === beforeId);
  const [previous, next] = at < 0 ? [own.at(-1), undefined] : [own[at - 1], own[at]];
  const position = next
    ? (next.position + (previous?.position ?? next.position - 2)) / 2
    : (previous?.position ?? 0) + 1;
  return { ...card, state: { id: stateId }, position };
}

function withCard(board: Board, card: Card): Board {
  const before = board.cards.find(({ id }) => id === card.id);
  const counts = new Map(board.counts);
  const [from, to] = [before?.state?.id, card.state?.id];
  if (from !== to) {
    if (from !== undefined) counts.set(from, (counts.get(from) ?? 1) - 1);
    if (to !== undefined) counts.set(to, (counts.get(to) ?? 0) + 1);
  }
  return { ...board, counts, cards: [...board.cards.filter(({ id }) => id !== card.id), card] };
}

function without(board: Board, taskId: string): Board {
  const gone = board.cards.find(({ id }) => id === taskId);
  if (!gone) return board;
  const counts = new Map(board.counts);
  const stateId = gone.state?.id ?? '';
  counts.set(stateId, (counts.get(stateId) ?? 1) - 1);
  return { ...board, counts, cards: board.cards.filter(({ id }) => id !== taskId) };
}

function withNews(board: Board, { action, taskId, task }: TaskNews): Board {
  if (action === 'DELETED' || !task || task.project?.id !== board.id) return without(board, taskId);
  const { id, identifier, title, priority, position, tags, assignee, state } = task;
  return withCard(board, {
    id,
    identifier,
    title,
    priority,
    position,
    tags,
    assignee,
    state: state && { id: state.id },
  });
}
