/**
 * What processes on one database tell each other: that keys changed, that something happened to a task. Through Redis
 * where there is one, else through PostgreSQL, else between the workers of one command. A message may be lost; whoever
 * listens must be right without it, a little later.
 */
import cluster from 'node:cluster';
import { Redis } from 'ioredis';
import pg from 'pg';
import { z } from 'zod';
import { SILENT } from '../db/redis.js';

const CHANNEL = 'taskgate';
/** Milliseconds. */
const FIRST_PAUSE = 50;
const LONGEST_PAUSE = 1000;
const CONNECTION_TIMEOUT = 2000;
const QUERY_TIMEOUT = 2000;
/** How often a connection that listens is asked whether it is there: one whose other end has vanished says nothing. */
const HEARTBEAT = 2000;

interface Message {
  readonly topic: string;
  readonly data?: unknown;
}
type Listener = (message: Message) => void;

export interface Bus {
  /** To all other processes. */
  publish(message: Message): void;
  /** @param onGap called when messages may have been missed */
  subscribe(listener: Listener, onGap: () => void): void;
  close(): Promise<void>;
}

/** How much goes in one piece, in bytes: PostgreSQL takes 8,000. */
const MAX_PIECE = 7000;
/** How many messages wait for a transport that does not get on; what comes after is lost. */
const MAX_WAITING = 10_000;

const envelope = z.object({
  from: z.string(),
  messages: z.array(z.object({ topic: z.string(), data: z.unknown().optional() })),
});

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/**
 * What the transports have in common: listeners, no ear for one's own messages, and one piece on its way at a time, with
 * all that was said while the last one was.
 */
abstract class Transport implements Bus {
  readonly #listeners: { readonly onMessage: Listener; readonly onGap: () => void }[] = [];
  readonly #waiting: string[] = [];
  #sending: Promise<void> | undefined;

  constructor(private readonly id: string) {}

  publish(message: Message): void {
    if (this.#waiting.length < MAX_WAITING) this.#waiting.push(JSON.stringify(message));
    this.#sending ??= this.#sendAll();
  }

  async #sendAll(): Promise<void> {
    while (this.#waiting.length > 0) {
      let length = 0;
      const rest = this.#waiting.findIndex((text, index) => {
        length += Buffer.byteLength(text);
        return index > 0 && length > MAX_PIECE;
      });
      const piece = this.#waiting.splice(0, rest === -1 ? this.#waiting.length : rest);
      await this.send(`{"from":${JSON.stringify(this.id)},"messages":[${piece.join(',')}]}`);
    }
    this.#sending = undefined;
  }

  /** Until what was published is on its way. */
  protected async sent(): Promise<void> {
    await this.#sending;
  }

  subscribe(onMessage: Listener, onGap: () => void): void {
    this.#listeners.push({ onMessage, onGap });
  }

  protected receive(text: string): void {
    // Whoever reaches the database or Redis may say anything here, and so may another version of this program.
    const said = envelope.safeParse(parseJson(text));
    if (!said.success || said.data.from === this.id) return;
    for (const message of said.data.messages) {
      for (const { onMessage } of this.#listeners) onMessage(message);
    }
  }

  protected gap(): void {
    for (const { onGap } of this.#listeners) onGap();
  }

  /** Never rejects: what does not arrive is lost. */
  protected abstract send(text: string): Promise<void>;
  abstract close(): Promise<void>;
}

export class RedisBus extends Transport {
  readonly #subscriber: Redis;
  readonly #heartbeat: NodeJS.Timeout;

  constructor(
    id: string,
    url: string,
    private readonly publisher: Redis,
  ) {
    super(id);
    this.#subscriber = new Redis(url, {
      connectTimeout: CONNECTION_TIMEOUT,
      maxRetriesPerRequest: null,
      retryStrategy: (attempt) => Math.min(attempt * FIRST_PAUSE, LONGEST_PAUSE),
    });
    // Each failure is retried; without a listener the process would end.
    this.#subscriber.on('error', () => {});
    this.#subscriber.on('message', (_channel, text) => this.receive(text));
    let answeredAt = performance.now();
    const answered = () => {
      answeredAt = performance.now();
    };
    this.#subscriber.on('ready', () => {
      answered();
      this.gap();
    });
    void this.#subscriber.subscribe(CHANNEL).catch(() => {});
    this.#heartbeat = setInterval(() => {
      if (this.#subscriber.status !== 'ready') return;
      if (performance.now() - answeredAt > SILENT) this.#subscriber.disconnect(true);
      else void this.#subscriber.ping().then(answered, () => {});
    }, HEARTBEAT).unref();
  }

  protected async send(text: string): Promise<void> {
    await this.publisher.publish(CHANNEL, text).catch(() => {});
  }

  async close(): Promise<void> {
    await this.sent();
    clearInterval(this.#heartbeat);
    this.#subscriber.disconnect();
  }
}

/** LISTEN and NOTIFY, on a connection of their own that is made again when it breaks. */
export class PostgresBus extends Transport {
  #client: pg.Client | undefined;
  #closed = false;
  #pause = FIRST_PAUSE;
  readonly #heartbeat = setInterval(() => void this.#ask('SELECT 1'), HEARTBEAT).unref();

  constructor(
    id: string,
    private readonly url: string,
  ) {
    super(id);
    void this.#connect();
  }

  async #connect(): Promise<void> {
    const client = new pg.Client({
      connectionString: this.url,
      connectionTimeoutMillis: CONNECTION_TIMEOUT,
      query_timeout: QUERY_TIMEOUT,
      keepAlive: true,
    });
    const again = () => {
      client.removeAllListeners('end');
      if (this.#client === client) this.#client = undefined;
      if (this.#closed) return;
      setTimeout(() => void this.#connect(), this.#pause).unref();
      this.#pause = Math.min(this.#pause * 2, LONGEST_PAUSE);
    };
    client.on('error', () => {});
    client.on('notification', ({ payload }) => payload !== undefined && this.receive(payload));
    try {
      await client.connect();
      await client.query(`LISTEN ${CHANNEL}`);
    } catch {
      await client.end().catch(() => {});
      again();
      return;
    }
    if (this.#closed) return void client.end();
    client.once('end', again);
    this.#client = client;
    this.#pause = FIRST_PAUSE;
    this.gap();
  }

  protected async send(text: string): Promise<void> {
    await this.#ask('SELECT pg_notify($1, $2)', [CHANNEL, text]);
  }

  /** Where the other end has vanished, a new connection is made. */
  async #ask(sql: string, values: string[] = []): Promise<void> {
    const client = this.#client;
    await client?.query(sql, values).catch(() => client.end());
  }

  async close(): Promise<void> {
    await this.sent();
    clearInterval(this.#heartbeat);
    this.#closed = true;
    await this.#client?.end();
  }
}

/** Between the workers of one command, by way of the first process (relayMessages). A process alone reaches no one. */
export class ClusterBus extends Transport {
  readonly #onMessage = (message: unknown) => {
    if (isRelayed(message)) this.receive(message.relay);
  };

  constructor(id: string) {
    super(id);
    if (cluster.isWorker) process.on('message', this.#onMessage);
  }

  protected async send(text: string): Promise<void> {
    if (!cluster.isWorker || !process.connected) return;
    await new Promise<void>((sent) => {
      process.send?.({ relay: text }, undefined, {}, () => sent());
    });
  }

  async close(): Promise<void> {
    await this.sent();
    process.off('message', this.#onMessage);
  }
}

/** In the first process: hands what one worker says to the others. */
export function relayMessages(): void {
  cluster.on('message', (sender, message: unknown) => {
    if (!isRelayed(message)) return;
    for (const worker of Object.values(cluster.workers ?? {})) {
      // One that is about to end hears nothing; the callback keeps a failure from being thrown.
      if (worker !== sender && worker?.isConnected()) worker.send(message, () => {});
    }
  });
}

function isRelayed(message: unknown): message is { relay: string } {
  return typeof (message as { relay?: unknown } | null)?.relay === 'string';
}
