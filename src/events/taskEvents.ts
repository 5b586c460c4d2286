/** Changes of tasks, told to whoever listens in the same workspace and environment of this process. */
import { EventEmitter, on } from 'node:events';
import type { Tenant } from '../db/tenant.js';

export interface TaskEvent {
  readonly action: 'CREATED' | 'UPDATED' | 'DELETED';
  readonly taskId: string;
  /** The project that the task is in, or was in when it was deleted. */
  readonly projectId: string | null;
}

export class TaskEvents {
  readonly #emitter = new EventEmitter().setMaxListeners(0);

  /** After the change was committed. */
  publish(tenant: Tenant, event: TaskEvent): void {
    this.#emitter.emit(topic(tenant), event);
  }

  /** Ends when the signal does. */
  async *subscribe(tenant: Tenant, signal: AbortSignal): AsyncGenerator<TaskEvent, void, undefined> {
    try {
      for await (const [event] of on(this.#emitter, topic(tenant), { signal })) yield event as TaskEvent;
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }
}

const topic = ({ workspaceId, environment }: Tenant) => `${environment}:${workspaceId}`;
