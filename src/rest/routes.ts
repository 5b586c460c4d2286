/** All routes of the REST shim, in one table. */
import { kaneo } from './dialects/kaneo.js';
import { taskmaster } from './dialects/taskmaster.js';
import { v1 } from './dialects/v1.js';
import { v1Keys } from './dialects/v1Keys.js';
import type { Route } from './route.js';

export const routes: readonly Route[] = [...taskmaster, ...kaneo, ...v1, ...v1Keys];
