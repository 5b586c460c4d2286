/** The mutations of keys, and what tests of their life ask again and again. */
import type { TestServer } from './server.js';

export const CREATE =
  'mutation ($input: CreateApiKeyInput!) { createApiKey(input: $input) { key apiKey { id name scopes environment expiresAt allowedIps status autoRenew rateLimit { perMinute perHour } } } }';
export const UPDATE =
  'mutation ($input: UpdateApiKeyInput!) { updateApiKey(input: $input) { apiKey { id name scopes expiresAt allowedIps autoRenew rateLimit { perMinute } } } }';
export const ROTATE =
  'mutation ($input: RotateApiKeyInput!) { rotateApiKey(input: $input) { key apiKey { id name scopes expiresAt allowedIps rateLimit { perMinute } } } }';
export const REVOKE = 'mutation ($id: ID!) { revokeApiKey(input: { id: $id }) { apiKey { status } } }';
export const VIEWER = '{ viewer { apiKey { id name } } }';

/** @param server which may not have started yet */
export function keyLife(server: () => TestServer) {
  return {
    status: async (key: string, headers: Record<string, string> = {}) =>
      (await server().post(JSON.stringify({ query: VIEWER }), key, headers)).status,
    codes: async (document: string, input: object, key?: string) =>
      (await server().gql(document, { input }, key)).errors?.map((error) => error.extensions['code']),
    inDays: (days: number) => new Date((server()?.clock().getTime() ?? Date.now()) + days * DAY),
    inSeconds: (seconds: number) => new Date(server().clock().getTime() + seconds * 1000),
    /** A key with a scope to hand on, so that field limits of one test do not reach another. */
    issuer: (scopes: string[] = ['keys:write', 'keys:read', 'tasks:read'], request = {}) =>
      server().createKey(scopes, 'LIVE', request),
  };
}

export const DAY = 86_400_000;
