/** Changes of tasks, told to whoever listens in the same workspace and environment, in this process and the others. */
import { EventEmitter, on } from 'node:events';
import type { Tenant } from '../db/tenant.js';
import type { Bus } from './bus.js';

const TOPIC = 'task';

export interface TaskEvent {
  readonly action: 'CREATED' | 'UPDATED' | 'DELETED';
  readonly taskId: string;
  /** The project that the task is in, or was in when it was deleted. */
  readonly projectId: string | null;
}

export class TaskEvents {
  readonly #emitter = new EventEmitter().setMaxListeners(0);

  constructor(private readonly bus: Bus) {
    bus.subscribe(
      ({ topic, data }) => {
        if (topic !== TOPIC) return;
        const { of, event } = data as { of: string; event: TaskEvent };
        this.#emitter.emit(of, event);
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

  /** Ends when the signal does. */
  async *subscribe(tenant: Tenant, signal: AbortSignal): AsyncGenerator<TaskEvent, void, undefined> {
    try {
      for await (const [event] of on(this.#emitter, nameOf(tenant), { signal })) yield event as TaskEvent;
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }
}

const nameOf = ({ workspaceId, environment }: Tenant) => `${environment}:${workspaceId}`;
