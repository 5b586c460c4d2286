/**
 * A worker's connections come through the primary process. One that was stopped, or hangs, takes them up and hands none on,
 * so that clients wait for ever: its workers end it, and with it themselves, so that whoever watches over it starts anew. A worker that
 * hangs keeps the connections that it was handed: the primary ends it, and starts another.
 */
import cluster, { type Worker } from 'node:cluster';

/** Milliseconds between two questions. */
const INTERVAL = 1000;
/** Questions without an answer, counted and not timed: a machine that slept has asked none meanwhile. */
const MOST_UNANSWERED = 10;

/** Seconds, likewise counted, that a worker asks nothing before it is taken to hang: its connections wait as long. */
const MOST_SILENT = 15;

/** In the primary process. @param onHanging called with a worker that answers nobody */
export function answerWatch(onHanging: (worker: Worker) => void): void {
  /** Since when they asked last, of those that have begun to. */
  const silent = new Map<Worker, number>();
  cluster.on('message', (worker: Worker, message: unknown) => {
    if (message !== ASKED || !worker.isConnected()) return;
    silent.set(worker, 0);
    worker.send(ANSWERED, () => {});
  });
  cluster.on('exit', (worker) => void silent.delete(worker));
  setInterval(() => {
    for (const [worker, seconds] of silent) {
      silent.set(worker, seconds + 1);
      if (seconds === MOST_SILENT) onHanging(worker);
    }
  }, INTERVAL).unref();
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
