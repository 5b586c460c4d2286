/**
 * What V8 takes for itself while the server starts, and does not give back while the server has nothing to do. What a start
 * makes lives on, which V8 takes for the work of a server under load: it makes 32 MB of room for new objects (semi-spaces).
 */
import { setFlagsFromString } from 'node:v8';

/** By how much V8 makes the room for new objects larger, where much of it lives on. */
const GROWTH_FACTOR = 2;
/**
 * By how many percent the old objects may grow until those without use are looked for. By default V8 lets a heap of this size grow
 * to several times what is in use.
 */
const OLD_GROWTH = 35;

/** Leaves that room as small as it is. Before anything else is loaded. */
export function holdHeap(): void {
  setFlagsFromString('--semi-space-growth-factor=1');
  // Threads that compile WebAssembly, each of which keeps what it allocated: it is Prisma's compiler of queries alone.
  setFlagsFromString('--wasm-num-compilation-tasks=1');
  setFlagsFromString(`--heap-growing-percent=${OLD_GROWTH}`);
}

/** Lets it grow with the load. */
export function releaseHeap(): void {
  setFlagsFromString(`--semi-space-growth-factor=${GROWTH_FACTOR}`);
}
