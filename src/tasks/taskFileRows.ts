/** Tasks as they are read for a file. */
import { identifierOf } from './identifier.js';
import type { FileTask } from './taskFiles.js';

/** As Prisma takes it. */
export const FILE_COLUMNS = {
  ...{ id: true, number: true, title: true, description: true, status: true, priority: true, startDate: true },
  ...{ dueDate: true, estimate: true, projectId: true, assigneeId: true, createdAt: true },
  project: { select: { key: true } },
  state: { select: { slug: true } },
  tags: { select: { name: true }, orderBy: { name: 'asc' } },
  assignee: { select: { email: true } },
} as const;

interface Row extends Omit<FileTask, 'identifier' | 'state' | 'tags' | 'assignee'> {
  readonly id: string;
  readonly number: number;
  readonly project: { readonly key: string | null } | null;
  readonly state: { readonly slug: string } | null;
  readonly tags: readonly { readonly name: string }[];
  readonly assignee: { readonly email: string } | null;
}

/** @param tellsUsers whether the email of the assignee is told */
export function fileTask(
  { id: _id, number, project, state, tags, assignee, ...task }: Row,
  tellsUsers: boolean,
): FileTask {
  return {
    ...task,
    identifier: identifierOf(project?.key, number),
    state: state?.slug ?? null,
    tags: tags.map(({ name }) => name),
    assignee: tellsUsers ? (assignee?.email ?? null) : undefined,
  };
}
