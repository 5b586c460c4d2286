/** Changes of tasks, and of what is said of them, published to the listeners in the same workspace and environment, in this process and the others. */
import { EventEmitter } from 'node:events';
import { z } from 'zod';
import type { Tenant } from '../db/tenant.js';
import type { Bus } from './bus.js';

const TOPIC = 'task';
/** Prefixed, for an emitter has names of its own. */
const nameOf = ({ workspaceId, environment }: Tenant) => `tasks of ${environment}:${workspaceId}`;
const message = z.object({
  of: z.string().startsWith('tasks of '),
  event: z.object({
    action: z.enum(['CREATED', 'UPDATED', 'DELETED']),
    taskId: z.string(),
    projectId: z.string().nullable(),
    previousProjectId: z.string().nullable().optional(),
    commentId: z.string().optional(),
  }),
});

export interface TaskEvent {
  readonly action: 'CREATED' | 'UPDATED' | 'DELETED';
  readonly taskId: string;
  /** The project that the task is in, or was in when it was deleted. */
  readonly projectId: string | null;
  /** The project that it was in before, where that is another. */
  readonly previousProjectId?: string | null | undefined;
  /** The comment on the task that was written, changed or deleted; undefined: it is the task itself. */
  readonly commentId?: string | undefined;
}

export class TaskEvents {
  readonly #emitter = new EventEmitter().setMaxListeners(0);

  constructor(private readonly bus: Bus) {
    bus.subscribe(
      ({ topic, data }) => {
        const received = topic === TOPIC ? message.safeParse(data) : undefined;
        if (received?.success) this.#emitter.emit(received.data.of, received.data.event);
      },
      () => {},
    );
  }

  /** After the change was committed. */
  publish(tenant: Tenant, event: TaskEvent): void {
    const of = nameOf(tenant);
    this.#emitter.emit(of, event);
    this.bus.publish({ topic: TOPIC, data: { of, event } });
  }

  /** @returns how to listen no longer */
  listen(tenant: Tenant, listener: (event: TaskEvent) => void): () => void {
    const of = nameOf(tenant);
    this.#emitter.on(of, listener);
    return () => void this.#emitter.off(of, listener);
  }
}
