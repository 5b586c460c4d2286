/**
 * A worker's connections come through the primary process. One that was stopped, or hangs, takes them up and hands none on,
 * so that clients wait for ever: its workers end it, and with it themselves, so that whoever watches over it starts anew.
 */
import cluster, { type Worker } from 'node:cluster';

/** Milliseconds between two questions. */
const INTERVAL = 1000;
/** Questions without an answer, counted and not timed: a machine that slept has asked none meanwhile. */
const MOST_UNANSWERED = 10;

/** In the primary process. */
export function answerWatch(): void {
  cluster.on('message', (worker: Worker, message: unknown) => {
    if (message === ASKED && worker.isConnected()) worker.send(ANSWERED, () => {});
  });
}

/** In a worker. */
export function watchPrimary(onHanging: () => void): void {
  let unanswered = 0;
  process.on('message', (message) => {
    if (message === ANSWERED) unanswered = 0;
  });
  setInterval(() => {
    unanswered += 1;
    if (unanswered > MOST_UNANSWERED) onHanging();
    else process.send?.(ASKED, undefined, {}, () => {});
  }, INTERVAL).unref();
}

const ASKED = 'primary?';
const ANSWERED = 'primary!';
