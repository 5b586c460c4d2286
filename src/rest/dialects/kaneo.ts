/** Kaneo: camelCase under /api, with paths of its own. */
import type { Route } from '../route.js';
import { activity } from './kaneo/activity.js';
import { bulk } from './kaneo/bulk.js';
import { columns } from './kaneo/columns.js';
import { comments } from './kaneo/comments.js';
import { labels } from './kaneo/labels.js';
import { people } from './kaneo/people.js';
import { projects } from './kaneo/projects.js';
import { relations } from './kaneo/relations.js';
import { search } from './kaneo/search.js';
import { tasks } from './kaneo/tasks.js';
import { timeEntries } from './kaneo/timeEntries.js';

export const kaneo: readonly Route[] = [
  ...tasks,
  ...bulk,
  activity,
  ...projects,
  ...columns,
  ...comments,
  ...labels,
  ...relations,
  ...timeEntries,
  ...search,
  ...people,
];
