/** The credential of a request: `Authorization: Bearer <key>` or `x-api-key: <key>`, never the query string. */
export type Credential =
  | { readonly kind: 'none' }
  | { readonly kind: 'key'; readonly key: string }
  /** Both headers, with different keys: it is not known which one is meant. */
  | { readonly kind: 'conflict' };

/** The scheme is case-insensitive (RFC 9110 11.1). Another scheme, or none, is no credential. */
export function readCredential(authorization: string | undefined, apiKey: string | undefined): Credential {
  const bearer = authorization === undefined ? undefined : /^bearer +(\S+) *$/i.exec(authorization)?.[1];
  const header = apiKey?.trim() || undefined;
  if (bearer !== undefined && header !== undefined && bearer !== header) return { kind: 'conflict' };
  const key = bearer ?? header;
  return key === undefined ? { kind: 'none' } : { kind: 'key', key };
}
