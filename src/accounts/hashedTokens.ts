/**
 * The client with which the account library works: tokens of sessions are stored as hashes, so that who reads the database, or a
 * backup of it, has no session. The library knows the tokens themselves alone.
 */
import { hash } from 'node:crypto';
import type { PrismaClient } from '#prisma/client.js';

type Row = Record<string, unknown>;
type Operation = (args?: { where?: unknown; data?: unknown }) => unknown;

/** What is stored of a session's token; 32 random characters need no salt and no slow hash. */
export const hashOfToken = (token: string): string => `sha256:${hash('sha256', `session ${token}`, 'hex')}`;

export function withHashedTokens(client: PrismaClient): PrismaClient {
  return new Proxy(client, {
    get(target, name) {
      const value = Reflect.get(target, name);
      if (name === 'signInSession') return sessions(value);
      if (name === '$transaction') {
        const run = value as (work: unknown, options?: unknown) => unknown;
        return (work: unknown, options?: unknown) =>
          run.call(
            target,
            typeof work === 'function' ? (tx: PrismaClient) => work(withHashedTokens(tx)) : work,
            options,
          );
      }
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}

function sessions(delegate: object): object {
  return new Proxy(delegate, {
    get(target, name) {
      const operation = Reflect.get(target, name) as Operation;
      if (typeof operation !== 'function') return operation;
      return async (args: Parameters<Operation>[0] = {}) => {
        const tokens = new Map<string, string>();
        const result = await operation.call(target, hashed(args, tokens) as typeof args);
        return Array.isArray(result) ? result.map((row) => shown(row, tokens)) : shown(result, tokens);
      };
    },
  });
}

/** The same with hashes in place of tokens, whichever way a condition names them. @param tokens hash -> token, of those that it names */
function hashed(value: unknown, tokens: Map<string, string>, ofToken = false): unknown {
  if (ofToken && typeof value === 'string') {
    const stored = hashOfToken(value);
    tokens.set(stored, value);
    return stored;
  }
  if (Array.isArray(value)) return value.map((one) => hashed(one, tokens, ofToken));
  if (value === null || typeof value !== 'object' || value instanceof Date) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, one]) => [name, hashed(one, tokens, name === 'token' || ofToken)]),
  );
}

/** A row with the token that was asked for by it; others are of no use, and stay hashes. */
function shown(row: unknown, tokens: ReadonlyMap<string, string>): unknown {
  if (row === null || typeof row !== 'object') return row;
  const { token } = row as Row;
  return typeof token === 'string' && tokens.has(token) ? { ...row, token: tokens.get(token) } : row;
}
