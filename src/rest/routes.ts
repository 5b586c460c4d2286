/** All routes of the REST shim, in one table. */
import { kaneo } from './kaneo.js';
import type { Route } from './route.js';
import { taskmaster } from './taskmaster.js';
import { v1 } from './v1.js';
import { v1Keys } from './v1Keys.js';

export const routes: readonly Route[] = [...taskmaster, ...kaneo, ...v1, ...v1Keys];
