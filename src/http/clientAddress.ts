/** Where a request comes from: the socket, or what trusted proxies say of it. */
import { inBlocks, normalizeAddress } from '../keys/network.js';

/**
 * Walks X-Forwarded-For from the right: each hop is believed only if the one after it is a trusted proxy. What a client
 * writes there itself stands to the left of the first untrusted hop and is not read.
 */
export function clientAddress(
  socketAddress: string | undefined,
  forwardedFor: string | undefined,
  trusted: readonly string[],
): string | null {
  if (socketAddress === undefined) return null;
  let address = normalizeAddress(socketAddress);
  if (trusted.length === 0 || forwardedFor === undefined) return address;
  for (const hop of forwardedFor.split(',').reverse()) {
    if (!inBlocks(address, trusted)) break;
    const next = normalizeAddress(hop.trim());
    if (next === '') break;
    address = next;
  }
  return address;
}
