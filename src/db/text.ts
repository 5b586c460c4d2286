import type { Provider } from './provider.js';

/** Text that contains another, whatever the case (on SQLite for ASCII letters). */
export function containsText(provider: Provider, text: string): { contains: string; mode?: 'insensitive' } {
  return provider === 'postgresql' ? { contains: text, mode: 'insensitive' } : { contains: text };
}
