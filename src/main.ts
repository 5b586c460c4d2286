#!/usr/bin/env node
/** The `taskgate` command. */
import { holdHeap } from './server/heap.js';

holdHeap();
await import('./cli/run.js');
