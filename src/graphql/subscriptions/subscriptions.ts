/**
 * Subscriptions. Those that ask the same in the same workspace and environment are executed once for each event, and share
 * the answer; each operation lists the scopes that it needs, and a key without all of them has no subscription, so that
 * the answer is the same for all who have one. Each execution is charged to each key that listens, and goes through
 * admission like any operation. Keys are asked for again at every event, and whenever a key changes.
 */
import { setTimeout } from 'node:timers/promises';
import {
  type ExecutionArgs,
  type ExecutionResult,
  execute,
  type FieldNode,
  GraphQLError,
  type GraphQLSchema,
  getArgumentValues,
  Kind,
} from 'graphql';
import type { Principal } from '../../auth/principal.js';
import { readingFor } from '../../db/reader.js';
import { ApiError, rateLimited, serviceBusy } from '../../errors.js';
import { limitReached } from '../../limits/meter.js';
import { requestsOf } from '../../limits/operationLimits.js';
import type { TaskEvent } from '../../messaging/taskEvents.js';
import type { Operation } from '../../operations/document.js';
import { type Context, createContext } from '../context.js';

/** Open at once. */
const MOST_OF_KEY = 20;
const MOST_OF_PROCESS = 1000;
/** Events that wait to be executed, and answers that wait for one client. */
const MOST_WAITING = 1000;
/** Milliseconds until what admission refused is tried again. */
const PAUSE = 100;

/** What is subscribed to, as it passed all checks. */
export interface Subscription {
  readonly schema: GraphQLSchema;
  readonly operation: Operation;
  readonly variables: Readonly<Record<string, unknown>>;
  /** Points that the answer to one event costs. */
  readonly cost: number;
  /** Why a key may no longer have it; undefined: it may. */
  readonly refusalFor: (principal: Principal) => Error | undefined;
}

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
    this.#open.set(lineageId, ofKey + 1);
    this.#total += 1;
    const name = nameOf(subscription, context.principal);
    const group = this.#groups.get(name) ?? new Group(subscription, context, () => this.#groups.delete(name));
    this.#groups.set(name, group);
    const member = group.join(context, subscription.refusalFor, () => {
      this.#total -= 1;
      const left = (this.#open.get(lineageId) ?? 1) - 1;
      if (left > 0) this.#open.set(lineageId, left);
      else this.#open.delete(lineageId);
    });
    return member.results();
  }
}

/** The same for all that ask the same. */
function nameOf({ operation, variables }: Subscription, { workspaceId, environment }: Principal): string {
  return JSON.stringify([workspaceId, environment, operation.document.hash, operation.name, variables]);
}

/** All that ask the same. */
class Group {
  readonly #members = new Set<Member>();
  readonly #waiting: TaskEvent[] = [];
  readonly #stop: () => void;
  readonly #isWanted: (event: TaskEvent) => boolean;
  #isRunning = false;

  constructor(
    private readonly subscription: Subscription,
    { principal, services }: Context,
    private readonly onEmpty: () => void,
  ) {
    this.#isWanted = filterOf(subscription);
    this.#stop = services.taskEvents.listen(principal, (event) => this.#take(event));
  }

  join(context: Context, refusalFor: Subscription['refusalFor'], onLeave: () => void): Member {
    const member = new Member(context, refusalFor, () => {
      this.#members.delete(member);
      onLeave();
      if (this.#members.size > 0) return;
      this.#stop();
      this.onEmpty();
    });
    this.#members.add(member);
    return member;
  }

  #take(event: TaskEvent): void {
    if (!this.#isWanted(event)) return;
    if (this.#waiting.length >= MOST_WAITING) {
      for (const member of this.#members) member.end(tooManyWaiting());
      return;
    }
    this.#waiting.push(event);
    if (!this.#isRunning) void this.#run();
  }

  async #run(): Promise<void> {
    this.#isRunning = true;
    try {
      for (let event = this.#waiting.shift(); event && this.#members.size > 0; event = this.#waiting.shift()) {
        await this.#answer(event);
      }
    } catch (error) {
      for (const member of this.#members) member.end(error);
    } finally {
      this.#isRunning = false;
    }
  }

  async #answer(event: TaskEvent): Promise<void> {
    await this.#askKeys();
    await this.#charge();
    const [member] = this.#members;
    if (!member) return;
    const answer = await this.#execute(event, member.context);
    for (const each of answer ? this.#members : []) each.push(answer as Answer);
  }

  /** Whether the keys may still have it; each credential is asked for once. */
  async #askKeys(): Promise<void> {
    const bySession = groupBy(this.#members, ({ context }) => context.session.id);
    await Promise.all(
      [...bySession.values()].map(async (members) => {
        const principal = await members[0]?.context.session.current();
        for (const member of members) member.look(principal);
      }),
    );
  }

  /** Each key pays once, however many of its streams get the answer. */
  async #charge(): Promise<void> {
    const byKey = groupBy(this.#members, ({ context }) => context.principal.lineageId);
    await Promise.all(
      [...byKey.values()].map(async (members) => {
        const result = await members[0]?.context.meter.charge(requestsOf(this.subscription.cost));
        if (!result || result.allowed) return;
        for (const member of members) member.end(limitReached(result.retryAfter));
      }),
    );
  }

  async #execute(event: TaskEvent, { principal, request, session, services }: Context) {
    const { schema, operation, variables } = this.subscription;
    const work = { key: principal.lineageId, cost: this.subscription.cost };
    let release = await services.admission.acquire(work);
    while (!release) {
      if (this.#members.size === 0) return undefined;
      await setTimeout(PAUSE);
      release = await services.admission.acquire(work);
    }
    const contextValue = createContext(principal, request, session, services);
    const { budget } = contextValue.use;
    try {
      const document = operation.document.ast;
      const args: ExecutionArgs = { schema, document, rootValue: event, variableValues: variables };
      const reader = { id: principal.keyId, isGone: () => this.#members.size === 0, take: budget.read };
      const result = await readingFor(reader, () => execute({ ...args, contextValue, operationName: operation.name }));
      const tooLarge = budget.count(result.data);
      return { result: tooLarge ? { errors: [asGraphQLError(tooLarge)] } : result, bytes: budget.bytes };
    } finally {
      budget.release();
      release();
    }
  }
}

/** What one event is answered with, and its size. */
interface Answer {
  readonly result: ExecutionResult;
  readonly bytes: number;
}

/** One stream. */
class Member {
  readonly #results: Answer[] = [];
  #bytes = 0;
  readonly #stop: () => void;
  #wake: () => void = () => {};
  #hasEnded = false;

  constructor(
    readonly context: Context,
    private readonly refusalFor: Subscription['refusalFor'],
    private readonly onLeave: () => void,
  ) {
    this.#stop = context.session.onChange((principal) => this.look(principal));
  }

  push(answer: Answer): void {
    if (this.#hasEnded) return;
    const { length } = this.#results;
    const { largest } = this.context.services.answerMemory;
    if (length >= MOST_WAITING || (length > 0 && this.#bytes + answer.bytes > largest) || !this.#hold(answer.bytes)) {
      this.end(tooManyWaiting());
    } else {
      this.#results.push(answer);
    }
    this.#wake();
  }

  /** Counts bytes that wait for the client with all that wait for its key. @returns whether there is room for them */
  #hold(bytes: number): boolean {
    const { services, principal } = this.context;
    this.#bytes += bytes;
    try {
      services.answerMemory.take(principal.lineageId, bytes);
      return true;
    } catch {
      return false;
    }
  }

  #drop(): void {
    this.#results.length = 0;
    this.#hold(-this.#bytes);
  }

  /** @param principal what its key is now; undefined: it may not be used any more */
  look(principal: Principal | undefined): void {
    const refusal = principal ? this.refusalFor(principal) : keyEnded();
    if (refusal) this.end(refusal);
  }

  /** The error is the last event of the stream. Events that wait are dropped: the key may have lost the right to see them. */
  end(error?: unknown): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#drop();
    if (error !== undefined) this.#results.push({ result: { errors: [asGraphQLError(error)] }, bytes: 0 });
    this.#stop();
    this.onLeave();
    this.#wake();
  }

  /** Not a generator: one that was never started would not run its cleanup. */
  results(): AsyncIterableIterator<ExecutionResult, undefined> {
    const next = async (): Promise<IteratorResult<ExecutionResult, undefined>> => {
      for (;;) {
        const answer = this.#results.shift();
        if (answer) {
          this.#hold(-answer.bytes);
          return { done: false, value: answer.result };
        }
        if (this.#hasEnded) return { done: true, value: undefined };
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
    };
    const stop = async () => {
      this.end();
      this.#results.length = 0;
      return { done: true as const, value: undefined };
    };
    return { next, return: stop, throw: stop, [Symbol.asyncIterator]: () => this.results() };
  }
}

/** The events that the operation asks for: of one project, or of all. */
function filterOf({ schema, operation, variables }: Subscription): (event: TaskEvent) => boolean {
  const node = operation.definition.selectionSet.selections.find(
    (selection) => selection.kind === Kind.FIELD,
  ) as FieldNode;
  const field = schema.getSubscriptionType()?.getFields()[node?.name.value ?? ''];
  const projectId = field && (getArgumentValues(field, node, variables)['projectId'] as string | null | undefined);
  if (projectId == null) return () => true;
  return (event) => event.projectId === projectId || event.previousProjectId === projectId;
}

function groupBy<T>(items: Iterable<T>, nameOf: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const name = nameOf(item);
    const group = groups.get(name);
    if (group) group.push(item);
    else groups.set(name, [item]);
  }
  return groups;
}

function asGraphQLError(error: unknown): GraphQLError {
  if (error instanceof GraphQLError) return error;
  const originalError = error instanceof Error ? error : new Error(String(error));
  return new GraphQLError(originalError.message, { originalError });
}

function keyEnded(): ApiError {
  return new ApiError('UNAUTHENTICATED', 'The API key of this subscription may not be used any more.');
}

function tooManyWaiting(): ApiError {
  return new ApiError('SERVICE_UNAVAILABLE', 'Too many events wait for this subscription; read them faster.', {
    retryAfter: 1,
  });
}
