/** What Kaneo's routes show of tasks and projects, and which workspace they mean. */
import { z } from 'zod';
import { notFound } from '../../../errors.js';
import type { RouteRequest } from '../../route.js';
import { type Moment, shownDate, shownId } from '../../shapes.js';
import { KANEO_PRIORITY as PRIORITY } from '../words.js';
import { type CoreState, STATE, shownStatus, showStatus } from './statuses.js';

/** What the words of Kaneo are called on a board that has no column for them. */
export const COLUMN_NAMES: ReadonlyMap<string, string> = new Map(
  Object.entries({
    planned: 'Planned',
    'to-do': 'To Do',
    'in-progress': 'In Progress',
    'in-review': 'In Review',
    done: 'Done',
    archived: 'Archived',
  }),
);
export const KTask = z
  .object({
    id: shownId,
    projectId: shownId.nullable(),
    position: z.number(),
    number: z.int(),
    userId: shownId.nullable(),
    title: z.string(),
    description: z.string().nullable(),
    status: shownStatus,
    priority: z.enum(PRIORITY.words),
    startDate: shownDate.optional(),
    dueDate: shownDate.optional(),
    createdAt: shownDate,
  })
  .meta({ id: 'KaneoTask' });
export const projectShape = {
  id: shownId,
  workspaceId: shownId,
  slug: z.string(),
  icon: z.string(),
  name: z.string(),
  description: z.string().nullable(),
  createdAt: shownDate,
  isPublic: z.boolean(),
  archivedAt: shownDate.nullable(),
};
export const KProject = z.object(projectShape).meta({ id: 'KaneoProject' });
export interface CoreTask {
  readonly id: string;
  readonly projectId: string | null;
  readonly position: number;
  readonly number: number;
  readonly assigneeId: string | null;
  readonly title: string;
  readonly description: string | null;
  readonly status: string;
  readonly state: CoreState | null;
  readonly priority: string;
  readonly startDate: Moment | null;
  readonly dueDate: Moment | null;
  readonly createdAt: Moment;
  readonly updatedAt: Moment;
}
export interface CoreProject {
  readonly id: string;
  readonly slug: string | null;
  readonly icon: string | null;
  readonly name: string;
  readonly description: string | null;
  readonly createdAt: Moment;
  readonly updatedAt: Moment;
  readonly archivedAt: Moment | null;
}

/** A list is whole up to so many rows; a client that knows no pages gets all that there usually are. */
export const ALL = 10_000;

export const TASK = `id projectId position number assigneeId title description ${STATE} priority startDate dueDate createdAt updatedAt`;
export const PROJECT = 'id slug icon name description createdAt updatedAt archivedAt';

// Field by field: a list may have 10,000, and copying what is left of an object takes 20 times as long.
export const showTask = (task: CoreTask) => ({
  id: task.id,
  projectId: task.projectId,
  position: task.position,
  number: task.number,
  userId: task.assigneeId,
  title: task.title,
  description: task.description,
  status: showStatus(task),
  priority: PRIORITY.show(task.priority),
  // Not null: its documented clients know these as texts, or not there.
  ...(task.startDate !== null && { startDate: task.startDate }),
  ...(task.dueDate !== null && { dueDate: task.dueDate }),
  createdAt: task.createdAt,
});
export const showProject = (
  { slug, icon, updatedAt: _, ...project }: CoreProject,
  { workspaceId }: { workspaceId: string },
) => ({
  ...project,
  workspaceId,
  slug: slug ?? '',
  icon: icon ?? '',
  isPublic: false,
});

/**
 * The key says which workspace is meant, so the parameter is not needed; a client goes on sending the one of its old
 * server. One that could be of this server, and is not the key's, is not found.
 * @param isExact any other is not found: a path is of this server
 */
export function ownWorkspace(given: string | undefined, { workspaceId }: RouteRequest, isExact = false): void {
  if (given !== undefined && given !== workspaceId && (isExact || z.uuid().safeParse(given).success)) {
    throw notFound('workspace', given);
  }
}
