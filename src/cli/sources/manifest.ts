/** Documents by their hashes, as GraphQL Code Generator, Relay and Apollo's tools write them for what clients send. */
import { z } from 'zod';
import { jsonOf } from './json.js';

const byHash = z
  .record(z.string().regex(/^(sha\d+:)?[0-9a-f]{32,128}$/), z.string())
  .refine((documents) => Object.keys(documents).length > 0);
const apollo = z.object({
  format: z.literal('apollo-persisted-query-manifest'),
  operations: z.array(z.object({ id: z.string(), body: z.string() })),
});

export interface ManifestDocument {
  /** As the client names it: a hash, which may say by which function it is made. */
  readonly id: string;
  readonly text: string;
}

/** @returns undefined for any other text */
export function documentsInManifest(text: string): ManifestDocument[] | undefined {
  const json = jsonOf(text);
  const named = byHash.safeParse(json);
  if (named.success) return Object.entries(named.data).map(([id, text]) => ({ id, text }));
  const manifest = apollo.safeParse(json);
  return manifest.success ? manifest.data.operations.map(({ id, body }) => ({ id, text: body })) : undefined;
}
