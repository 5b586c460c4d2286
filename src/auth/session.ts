import type { Principal } from './principal.js';

/** The key's authentication, for what outlives the request's first moment. */
export interface Session {
  /** The same for all that the same credential opened from the same address. */
  readonly id: string;
  /** Asks again, whether the key may still be used from where it was used; undefined when it may not. */
  current(): Promise<Principal | undefined>;
  /** Calls with what `current` would answer, whenever that may have changed; answers how to stop it. */
  onChange(listener: (principal: Principal | undefined) => void): () => void;
}
