/** All streams that ask the same: each event is executed once, charged to each key, and its answer shared. */
import { setTimeout } from 'node:timers/promises';
import { type ExecutionArgs, execute, type GraphQLSchema, getArgumentValues } from 'graphql';
import { collectFields } from 'graphql/execution/collectFields.js';
import type { ProjectBound } from '../../audit/entry.js';
import { groupBy } from '../../collections.js';
import { readingFor } from '../../db/reader.js';
import { limitReached } from '../../limits/meter.js';
import { requestsOf } from '../../limits/operationLimits.js';
import type { TaskEvent } from '../../messaging/taskEvents.js';
import type { Operation } from '../../operations/document.js';
import { fragmentsOf } from '../../operations/fragments.js';
import { type Context, createContext } from '../context.js';
import { type Answer, asGraphQLError, Member, type RefusalFor, tooManyWaiting } from './member.js';

/** Events that wait to be executed. */
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
  readonly refusalFor: RefusalFor;
}

export class Group {
  readonly #members = new Set<Member>();
  readonly #waiting: TaskEvent[] = [];
  readonly #stop: () => void;
  /** What the members hear of an event; undefined: nothing. */
  readonly #seen: (event: TaskEvent) => TaskEvent | undefined;
  #isRunning = false;

  constructor(
    private readonly subscription: Subscription,
    { principal, services }: Context,
    private readonly onEmpty: () => void,
  ) {
    const isAskedFor = filterOf(subscription);
    this.#seen = (event) => {
      // Which events of another project there are is told by asking for them, too.
      const seen = seenWithin(principal.bound, event);
      return seen && isAskedFor(seen) ? seen : undefined;
    };
    this.#stop = services.taskEvents.listen(principal, (event) => this.#take(event));
  }

  join(context: Context, refusalFor: RefusalFor, onLeave: () => void): Member {
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

  #take(published: TaskEvent): void {
    const event = this.#seen(published);
    if (!event) return;
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

/** The events that the operation asks for: of tasks or of comments, of one task, of one project, or of all. */
function filterOf({ schema, operation, variables }: Subscription): (event: TaskEvent) => boolean {
  const type = schema.getSubscriptionType();
  if (!type) throw new Error('the schema has no subscriptions');
  const fragments = Object.fromEntries(fragmentsOf(operation.document.ast));
  const { selectionSet } = operation.definition;
  const [node] = [
    ...collectFields(schema, fragments, variables as Record<string, unknown>, type, selectionSet).values(),
  ].flat();
  const field = type.getFields()[node?.name.value ?? ''];
  // Nothing is selected.
  if (!node || !field) return () => false;
  const { projectId, taskId } = getArgumentValues(field, node, variables) as Partial<TaskEvent>;
  const isOfComments = field.name === 'commentChanged';
  const isWithin = (event: TaskEvent) => event.projectId === projectId || event.previousProjectId === projectId;
  return (event) =>
    (event.commentId !== undefined) === isOfComments &&
    (taskId == null || event.taskId === taskId) &&
    (projectId == null || isWithin(event));
}

/** A key that is bound to projects hears that a task left one of them, and not for where. */
function seenWithin(bound: ProjectBound | undefined, event: TaskEvent): TaskEvent | undefined {
  if (!bound) return event;
  const within = (id: string | null | undefined) => (id != null && bound.projects.includes(id) ? id : null);
  const [projectId, previousProjectId] = [within(event.projectId), within(event.previousProjectId)];
  return projectId === null && previousProjectId === null ? undefined : { ...event, projectId, previousProjectId };
}
