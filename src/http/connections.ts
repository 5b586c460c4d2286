/** The open connections of a server: how many there may be, and that those end whose clients do not read. */
import type { Server, Socket } from 'node:net';
import { BUSY_CONNECTION } from './earlyAnswers.js';

/** Milliseconds between two looks at what was sent. */
const LOOKING = 1000;

interface ConnectionOptions {
  readonly isTls: boolean;
  /** Connections at once. */
  readonly most: number;
  /** How long a client may read nothing of what waits for it, in milliseconds. */
  readonly stalled: number;
}

interface Progress {
  state: string;
  since: number;
}

/** @returns how to stop looking */
export function watchConnections(server: Server, { isTls, most, stalled }: ConnectionOptions): () => void {
  const open = new Map<Socket, Progress>();
  server.on('connection', (socket: Socket) => {
    if (open.size >= most) {
      // There is no word for it before the handshake.
      if (isTls) socket.destroy();
      else socket.end(BUSY_CONNECTION, () => socket.destroy());
      return;
    }
    open.set(socket, { state: '', since: performance.now() });
    socket.once('close', () => open.delete(socket));
  });
  const timer = setInterval(() => {
    const now = performance.now();
    for (const [socket, progress] of open) {
      const state = pendingOf(socket);
      if (state === undefined || state !== progress.state) {
        progress.state = state ?? '';
        progress.since = now;
      } else if (now - progress.since >= stalled) {
        socket.destroy();
      }
    }
  }, LOOKING).unref();
  return () => clearInterval(timer);
}

/** Changes as soon as the client takes something; undefined: nothing waits for it. */
function pendingOf(socket: Socket): string | undefined {
  // What the system has not taken yet of what it was given: the driver's own timeouts look at the same.
  const { writeQueueSize = 0 } = (socket as unknown as { _handle?: { writeQueueSize?: number } })._handle ?? {};
  if (socket.writableLength === 0 && writeQueueSize === 0) return undefined;
  return `${socket.bytesWritten - socket.writableLength} ${writeQueueSize}`;
}
