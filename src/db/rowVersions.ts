/**
 * For what was read of tasks, projects and users to be remembered: a number for each workspace and environment that changes
 * with every change of them, by whichever process, in the transaction of the change (triggers; see the migrations).
 */
import type Database from 'better-sqlite3';
import { LRUCache } from 'lru-cache';
import { prepareAnew } from './sqliteStatements.js';
import type { Tenant } from './tenant.js';

const MAX_TENANTS = 1000;

export class RowVersions {
  readonly #dataVersion: Database.Statement<unknown[]>;
  readonly #changes: Database.Statement<unknown[]>;
  readonly #known = new LRUCache<string, number>({ max: MAX_TENANTS });
  #seen: unknown;

  /** @param driver of a connection that does not write: SQLite tells it when another one has committed */
  constructor(driver: Database.Database) {
    const prepare = (sql: string) => prepareAnew(driver, sql).pluck().safeIntegers(false);
    this.#dataVersion = prepare('PRAGMA data_version');
    this.#changes = prepare('SELECT "changes" FROM "RowChange" WHERE "workspaceId" = ? AND "environment" = ?');
  }

  /** As it is now, or was at a moment since this was called. */
  of({ workspaceId, environment }: Tenant): number {
    const seen = this.#dataVersion.get();
    if (seen !== this.#seen) {
      this.#known.clear();
      this.#seen = seen;
    }
    const name = `${workspaceId} ${environment}`;
    let changes = this.#known.get(name);
    if (changes === undefined) {
      changes = Number(this.#changes.get(workspaceId, environment) ?? 0);
      this.#known.set(name, changes);
    }
    return changes;
  }
}
