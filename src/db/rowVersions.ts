/**
 * For what was read of tasks, projects and users to be remembered: a version for each workspace and environment that changes
 * with every change of them, by whichever process, in the transaction of the change (triggers; see the migrations).
 */
import { setImmediate } from 'node:timers/promises';
import type { SqlQuery, SqlResultSet } from '@prisma/driver-adapter-utils';
import type Database from 'better-sqlite3';
import { LRUCache } from 'lru-cache';
import type { Reader } from './reader.js';
import { prepareAnew } from './sqliteStatements.js';
import type { Tenant } from './tenant.js';

/** Compared, and nothing else. */
export type RowVersion = number | string;

const MAX_TENANTS = 1000;

/** SQLite's, which are read in a moment. */
export class RowVersions {
  readonly #dataVersion: Database.Statement<unknown[]>;
  readonly #changes: Database.Statement<unknown[]>;
  readonly #known = new LRUCache<string, number>({ max: MAX_TENANTS });
  #seen: unknown;

  /** @param driver of a connection that does not write: SQLite tells it when another one has committed */
  constructor(driver: Database.Database) {
    const prepare = (sql: string) => prepareAnew(driver, sql).pluck().safeIntegers(false);
    this.#dataVersion = prepare('PRAGMA data_version');
    this.#changes = prepare('SELECT sum("changes") FROM "TaskCount" WHERE "workspaceId" = ? AND "environment" = ?');
  }

  /** As it is now, or was at a moment since this was called. */
  of(tenant: Tenant): RowVersion {
    const seen = this.#dataVersion.get();
    if (seen !== this.#seen) {
      this.#known.clear();
      this.#seen = seen;
    }
    const name = nameOf(tenant);
    let changes = this.#known.get(name);
    if (changes === undefined) {
      changes = Number(this.#changes.get(tenant.workspaceId, tenant.environment) ?? 0);
      this.#known.set(name, changes);
    }
    return changes;
  }
}

const VERSIONS = `
  SELECT "workspaceId", "environment", (
    SELECT sum("changes")::text FROM "TaskCount" AS noted
    WHERE noted."workspaceId" = asked."workspaceId" AND noted."environment" = asked."environment"::"Environment"
  ) FROM json_to_recordset($1::json) AS asked("workspaceId" text, "environment" text)`;
/** How long answers wait for their version before they are read, in milliseconds. */
const PATIENCE = 250;

/** PostgreSQL's: one statement at a time reads those of all requests that came while the last one ran. */
export class BatchedRowVersions {
  #asked = new Map<string, Tenant>();
  #next: Promise<ReadonlyMap<string, RowVersion>> | undefined;
  #last: Promise<unknown> = Promise.resolve();
  /** A statement has not come back within the time. */
  #isStuck = false;

  constructor(private readonly query: (query: SqlQuery, reader: Reader) => Promise<SqlResultSet>) {}

  /** As it is at a moment since this was called; undefined where the database does not tell it soon. */
  async of(tenant: Tenant): Promise<RowVersion | undefined> {
    if (this.#isStuck) return undefined;
    const name = nameOf(tenant);
    this.#asked.set(name, tenant);
    // All that have come by now are in it.
    this.#next ??= this.#last.then(() => setImmediate()).then(() => this.#read());
    return (await this.#next).get(name);
  }

  #read(): Promise<ReadonlyMap<string, RowVersion>> {
    const asked = JSON.stringify([...this.#asked.values()]);
    this.#asked = new Map();
    this.#next = undefined;
    const read = new Promise<ReadonlyMap<string, RowVersion>>((resolve) => {
      const timer = setTimeout(() => {
        this.#isStuck = true;
        resolve(NONE);
      }, PATIENCE);
      // What is wrong with the database is said where the rows are read.
      void this.#versions(asked)
        .catch(() => NONE)
        .then((versions) => {
          clearTimeout(timer);
          this.#isStuck = false;
          resolve(versions);
        });
    });
    this.#last = read;
    return read;
  }

  async #versions(asked: string): Promise<ReadonlyMap<string, RowVersion>> {
    const query: SqlQuery = { sql: VERSIONS, args: [asked], argTypes: [{ scalarType: 'string', arity: 'scalar' }] };
    const { rows } = await this.query(query, ALL);
    return new Map(
      rows.map(([workspaceId, environment, changes]) => [`${workspaceId} ${environment}`, String(changes ?? 0)]),
    );
  }
}

/** It is read for many at once, and counts for none of them. */
const ALL: Reader = { id: '', isGone: () => false, take() {} };

const NONE: ReadonlyMap<string, RowVersion> = new Map();

const nameOf = ({ workspaceId, environment }: Tenant) => `${workspaceId} ${environment}`;
