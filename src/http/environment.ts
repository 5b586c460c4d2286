/** What Hono carries for a request, from handler to handler. */
import type { HttpBindings } from '@hono/node-server';
import type { Context as HttpContext } from 'hono';
import type { Principal } from '../auth/principal.js';
import type { Context } from '../graphql/context.js';

interface Variables {
  requestId: string;
  ip: string | null;
  principal?: Principal;
  /** The key or token, once it is known to be good. */
  credential?: string;
  /** What the request turned out to be. */
  context?: Context;
  /** Of the route that answers, as a template. */
  route?: string;
  /** Why the request was refused as a whole. */
  refusal?: string;
}

/** Of all that Hono answers here. */
export interface HttpEnvironment {
  Bindings: HttpBindings;
  Variables: Variables;
}

export type KeyedContext = HttpContext<{ Variables: Variables }>;
