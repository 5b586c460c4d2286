/** Figures for Prometheus: of this process, or of all workers of one command together. */
import cluster from 'node:cluster';
import {
  AggregatorRegistry,
  Counter,
  type CounterConfiguration,
  collectDefaultMetrics,
  Gauge,
  Histogram,
  Registry,
} from 'prom-client';

export const METRICS_TYPE = Registry.PROMETHEUS_CONTENT_TYPE;

/** A counter of what every request counts: by the text of its labels, which the library is told when it is asked. */
class Tally {
  readonly #pending = new Map<string, { readonly labels: readonly string[]; count: number }>();

  constructor(configuration: Omit<CounterConfiguration<string>, 'collect'>) {
    const pending = this.#pending;
    new Counter({
      ...configuration,
      collect() {
        for (const { labels, count } of pending.values()) this.labels(...labels).inc(count);
        pending.clear();
      },
    });
  }

  /** @param labels the values, in the order of their names */
  add(...labels: readonly string[]): void {
    const name = labels.join('\n');
    const known = this.#pending.get(name);
    if (known) known.count += 1;
    else this.#pending.set(name, { labels, count: 1 });
  }
}

export class Metrics {
  readonly #registry = new Registry();
  readonly #registers = { registers: [this.#registry] };
  readonly #requests = new Tally({
    name: 'taskgate_http_requests_total',
    help: 'Answered HTTP requests.',
    labelNames: ['method', 'route', 'status'],
    ...this.#registers,
  });
  readonly #duration = new Histogram({
    name: 'taskgate_http_request_duration_seconds',
    help: 'From the first byte of the request to the head of the answer.',
    buckets: [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 30],
    ...this.#registers,
  });
  readonly #operations = new Tally({
    name: 'taskgate_operations_total',
    help: 'GraphQL operations, those of REST routes included. code: ok, or that of the first error.',
    labelNames: ['type', 'code'],
    ...this.#registers,
  });
  readonly #statements = new Histogram({
    name: 'taskgate_database_statement_seconds',
    help: 'From asking the database to its answer, waiting included.',
    labelNames: ['kind'],
    buckets: [0.0001, 0.001, 0.01, 0.1, 1, 10],
    ...this.#registers,
  });
  readonly #remembered = new Tally({
    name: 'taskgate_remembered_answers_total',
    help: 'Queries whose answer may be remembered. hit: it was, and is still true.',
    labelNames: ['result'],
    ...this.#registers,
  });
  readonly #limitRefusals = new Counter({
    name: 'taskgate_limit_refusals_total',
    help: 'What a limit refused: minute, hour (of a key), field, failures, reports (of an address).',
    labelNames: ['limit'],
    ...this.#registers,
  });
  readonly #failures = new Counter({
    name: 'taskgate_authentication_failures_total',
    help: 'Requests without a key that works. unknown: well-formed keys that nobody has, so somebody guesses.',
    labelNames: ['reason'],
    ...this.#registers,
  });

  constructor() {
    collectDefaultMetrics({ register: this.#registry });
    if (!cluster.isWorker) return;
    // Answers the primary process, which asks all workers.
    AggregatorRegistry.setRegistries([this.#registry]);
    new AggregatorRegistry();
  }

  text(): Promise<string> {
    return this.#registry.metrics();
  }

  /** @param route as a template: `/v1/tasks/{id}` */
  request(method: string, route: string, status: number, seconds: number): void {
    this.#requests.add(method, route, String(status));
    this.#duration.observe(seconds);
  }

  operation(type: string, code: string): void {
    this.#operations.add(type, code);
  }

  remembered(isHit: boolean): void {
    this.#remembered.add(isHit ? 'hit' : 'miss');
  }

  statement(kind: string, seconds: number): void {
    this.#statements.observe({ kind }, seconds);
  }

  authenticationFailed(reason: string): void {
    this.#failures.inc({ reason });
  }

  /** @param admission what is under way and what waits, asked when the figures are */
  watchAdmission(admission: { readonly running: number; readonly waiting: number; readonly refused: number }): void {
    const gauge = (name: string, help: string, value: () => number) =>
      new Gauge({
        name,
        help,
        ...this.#registers,
        collect() {
          this.set(value());
        },
      });
    gauge('taskgate_operations_running', 'Operations under way.', () => admission.running);
    gauge('taskgate_operations_waiting', 'Operations that wait to begin.', () => admission.waiting);
    gauge('taskgate_operations_shed', 'Requests refused for overload since the start.', () => admission.refused);
  }

  /** @param window of a key, a field or an address: `minute` */
  limitRefused(window: string): void {
    this.#limitRefusals.inc({ limit: window });
  }
}
