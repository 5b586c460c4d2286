/** What lists and boards show of a task, and the news of its changes. */
import { useEffect, useRef } from 'react';
import { useSubscription } from 'urql';
import { graphql, type ResultOf } from '../graphql.ts';

const CHANGED = graphql(`
  subscription TaskChanges($projectId: ID) {
    taskChanged(projectId: $projectId) {
      action
      taskId
      task {
        id identifier title status priority dueDate position updatedAt
        project { id name }
        assignee { id name }
        state { id name color }
      }
    }
  }
`);
export type TaskNews = NonNullable<ResultOf<typeof CHANGED>>['taskChanged'];
export type TaskRow = NonNullable<TaskNews['task']>;

/** Calls with each change of a task that anybody makes, while the page is open. */
export function useTaskNews(projectId: string | undefined, onNews: (news: TaskNews) => void): void {
  const listener = useRef(onNews);
  useEffect(() => {
    listener.current = onNews;
  });
  useSubscription(
    { query: CHANGED, variables: { projectId: projectId ?? null } },
    (_all: undefined, news: ResultOf<typeof CHANGED>) => {
      listener.current(news.taskChanged);
      return undefined;
    },
  );
}

export const STATUSES = ['BACKLOG', 'TRIAGE', 'TODO', 'IN_PROGRESS', 'IN_REVIEW', 'DONE', 'CANCELED'] as const;
export type Status = (typeof STATUSES)[number];
export const PRIORITIES = ['NONE', 'LOW', 'MEDIUM', 'HIGH', 'URGENT'] as const;
export type Priority = (typeof PRIORITIES)[number];
