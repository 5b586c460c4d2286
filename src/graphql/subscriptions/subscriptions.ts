/**
 * Subscriptions. Those that ask the same in the same workspace and environment are executed once for each event, and share
 * the answer; each operation lists the scopes that it needs, and a key without all of them has no subscription, so that
 * the answer is the same for all who have one. Each execution is charged to each key that listens, and goes through
 * admission like any operation. Keys are asked for again at every event, and whenever a key changes.
 */
import type { ExecutionResult } from 'graphql';
import type { Principal } from '../../auth/principal.js';
import { rateLimited, serviceBusy } from '../../errors.js';
import type { Context } from '../context.js';
import { Group, type Subscription } from './group.js';

/** Open at once. */
const MOST_OF_KEY = 20;
const MOST_OF_PROCESS = 1000;

export class Subscriptions {
  readonly #groups = new Map<string, Group>();
  readonly #open = new Map<string, number>();
  #total = 0;

  /** @throws ApiError when the key, or the process, has as many open as it may */
  open(subscription: Subscription, context: Context): AsyncIterableIterator<ExecutionResult, undefined> {
    const { lineageId } = context.principal;
    const ofKey = this.#open.get(lineageId) ?? 0;
    if (ofKey >= MOST_OF_KEY) throw rateLimited(`A key may have ${MOST_OF_KEY} subscriptions open.`, 1);
    if (this.#total >= MOST_OF_PROCESS) throw serviceBusy();
    const name = nameOf(subscription, context.principal);
    const group = this.#groups.get(name) ?? new Group(subscription, context, () => this.#groups.delete(name));
    this.#groups.set(name, group);
    const member = group.join(context, subscription.refusalFor, () => {
      this.#total -= 1;
      const left = (this.#open.get(lineageId) ?? 1) - 1;
      if (left > 0) this.#open.set(lineageId, left);
      else this.#open.delete(lineageId);
    });
    this.#open.set(lineageId, ofKey + 1);
    this.#total += 1;
    return member.results();
  }
}

/** The same for all that ask the same of the same rows. */
function nameOf(
  { operation, variables }: Subscription,
  { workspaceId, environment, bound, userId }: Principal,
): string {
  const rows = [workspaceId, environment, bound?.projects ?? null, operation.hasFilters ? userId : null];
  return JSON.stringify([...rows, operation.document.hash, operation.name, variables]);
}
