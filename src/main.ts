#!/usr/bin/env node
/** The `taskgate` command. */
import { holdHeap } from './server/heap.js';

// Other commands end soon, or have much to do.
if (process.argv[2] === 'serve') holdHeap();
await import('./cli/run.js');
