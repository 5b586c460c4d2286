/** Where leaked keys are reported: by anyone who holds one, and by scanners that sign their reports. */
import { readFileSync } from 'node:fs';
import type { Context } from 'hono';
import { z } from 'zod';
import { ConfigError } from '../config.js';
import { ApiError, rateLimited } from '../errors.js';
import type { Services } from '../graphql/context.js';
import { parseKey } from '../keys/format.js';
import { endAppSecrets, endTokens, handleLeak, isSigned, lookUp, type PublicKey } from '../keys/leaks.js';
import { originOf } from './origin.js';
import { refuse } from './refusal.js';

const MAX_KEYS = 1000;

const credentials = z.object({ credentials: z.array(z.string().max(1000)).min(1).max(MAX_KEYS) });
const findings = z
  .array(
    z.object({
      token: z.string().max(1000),
      type: z.string().optional(),
      url: z.string().optional(),
      source: z.string().optional(),
    }),
  )
  .max(MAX_KEYS);
const publicKeyFile = z.object({ public_keys: z.array(z.object({ key_identifier: z.string(), key: z.string() })) });

type Variables = { requestId: string; ip: string | null };
type HttpContext = Context<{ Variables: Variables }>;

/** POST /credentials/revoke { "credentials": ["sk_live_..."] }: ends them, access tokens too, for any caller; never says which were keys. */
export function revokeCredentials({ addressLimits, database, keys, units }: Services) {
  return async (c: HttpContext) => {
    const retryAfter = await addressLimits.reported(c.get('ip'));
    if (retryAfter > 0) {
      return refuse(c, rateLimited(`Rate limit exceeded. Try again in ${retryAfter} seconds.`, retryAfter));
    }
    const body = credentials.safeParse(await json(c));
    if (!body.success) {
      return refuse(c, badRequest(`Send {"credentials": ["sk_..."]} with 1 to ${MAX_KEYS} keys or access tokens.`));
    }
    const rows = await lookUp(database.system, body.data.credentials);
    await handleLeak(database.system, keys, rows.values(), { ...originOf(c), source: 'whoever held it', revoke: true });
    const report = { ...originOf(c), source: 'whoever held it' };
    await endTokens(units, database.system, body.data.credentials, report);
    await endAppSecrets(database.system, keys, body.data.credentials, report);
    return c.json({ message: 'Credentials that are keys or access tokens of this server are revoked.' }, 202);
  };
}

/**
 * POST /security/leaked-keys in the shape of GitHub's secret scanning partner programme: an array of
 * { token, type, url, source }, signed. Answers which are keys, so that the scanner learns what to look for.
 */
export function leakedKeys({ database, keys }: Services, publicKeys: readonly PublicKey[], revoke: boolean) {
  return async (c: HttpContext) => {
    const body = await c.req.text();
    const identifier = c.req.header('github-public-key-identifier') ?? '';
    const signature = c.req.header('github-public-key-signature') ?? '';
    if (!isSigned(body, identifier, signature, publicKeys)) {
      const message = 'The signature does not fit the body, or its key is not known.';
      return c.json({ error: { code: 'INVALID_SIGNATURE', message }, message, requestId: c.get('requestId') }, 401);
    }
    const parsed = findings.safeParse(await json(c));
    if (!parsed.success) return refuse(c, badRequest('Send an array of { token, type, url, source }.'));
    const rows = await lookUp(
      database.system,
      parsed.data.map(({ token }) => token),
    );
    for (const { token, url, source } of parsed.data) {
      const row = rows.get(token);
      if (!row) continue;
      const where = [source, url].filter(Boolean).join(' ') || 'a scanner';
      await handleLeak(database.system, keys, [row], { ...originOf(c), source: where.slice(0, 300), revoke });
    }
    return c.json(
      parsed.data.map(({ token, type }) => ({
        token_raw: token,
        token_type: type ?? 'taskgate_api_key',
        label: rows.has(token) && parseKey(token) ? 'true_positive' : 'false_positive',
      })),
    );
  };
}

/** @throws ConfigError when the file is not as the programme publishes its keys */
export function readPublicKeys(file: string): PublicKey[] {
  try {
    return publicKeyFile.parse(JSON.parse(readFileSync(file, 'utf8'))).public_keys;
  } catch {
    throw new ConfigError('LEAK_REPORT_KEYS_FILE must name a JSON file {"public_keys": [{"key_identifier", "key"}]}.');
  }
}

async function json(c: HttpContext): Promise<unknown> {
  try {
    return await c.req.json();
  } catch {
    return undefined;
  }
}

const badRequest = (message: string) => new ApiError('BAD_USER_INPUT', message);
