/** What lists and boards show of a task, and the news of its changes. */
import { useEffect, useRef } from 'react';
import { type AnyVariables, type TypedDocumentNode, useClient } from 'urql';
import { onEnd, pipe, subscribe } from 'wonka';
import { graphql, type ResultOf } from '../graphql.ts';

const CHANGED = graphql(`
  subscription TaskChanges($projectId: ID) {
    taskChanged(projectId: $projectId) {
      action
      taskId
      task {
        id identifier title status priority dueDate position tags updatedAt
        project { id name }
        assignee { id name }
        state { id name color }
      }
    }
  }
`);
export type TaskNews = NonNullable<ResultOf<typeof CHANGED>>['taskChanged'];
export type TaskRow = NonNullable<TaskNews['task']>;

/** Milliseconds until the stream is opened again, after it ended once, twice, and so on. */
const PATIENCE = [1000, 2000, 5000, 10_000, 30_000];

/**
 * Calls with each change of a task that anybody makes, while the page is open.
 * @param onAgain called when the stream was away for a while: what happened meanwhile is to be read
 */
export function useTaskNews(
  projectId: string | undefined,
  onNews: (news: TaskNews) => void,
  onAgain?: () => void,
): void {
  useNews(CHANGED, { projectId: projectId ?? null }, ({ taskChanged }) => onNews(taskChanged), onAgain);
}

/** The same of any subscription. */
export function useNews<Data, Variables extends AnyVariables>(
  document: TypedDocumentNode<Data, Variables>,
  variables: Variables,
  onNews: (data: Data) => void,
  onAgain: () => void = () => {},
): void {
  const client = useClient();
  const given = JSON.stringify(variables);
  const listeners = useRef({ onNews, onAgain });
  useEffect(() => {
    listeners.current = { onNews, onAgain };
  });
  useEffect(() => {
    let [isOver, failures] = [false, 0];
    let timer: number | undefined;
    let stop = () => {};
    const again = () => {
      // A stream that is closed here ends too.
      if (isOver || timer !== undefined) return;
      timer = window.setTimeout(
        () => {
          timer = undefined;
          listeners.current.onAgain();
          open();
        },
        PATIENCE[Math.min(failures, PATIENCE.length - 1)],
      );
      failures += 1;
    };
    const open = () => {
      const stream = pipe(
        client.subscription(document, JSON.parse(given) as Variables),
        onEnd(again),
        subscribe(({ data, error }) => {
          if (error) {
            stop();
            again();
          } else if (data) {
            failures = 0;
            listeners.current.onNews(data);
          }
        }),
      );
      stop = () => stream.unsubscribe();
    };
    open();
    return () => {
      isOver = true;
      window.clearTimeout(timer);
      stop();
    };
  }, [client, document, given]);
}

export const STATUSES = ['BACKLOG', 'TRIAGE', 'TODO', 'IN_PROGRESS', 'IN_REVIEW', 'DONE', 'CANCELED'] as const;
export type Status = (typeof STATUSES)[number];
export const PRIORITIES = ['NONE', 'LOW', 'MEDIUM', 'HIGH', 'URGENT'] as const;
export type Priority = (typeof PRIORITIES)[number];
