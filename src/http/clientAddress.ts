/** Where a request comes from: the socket, or what trusted proxies say of it. */
import { LRUCache } from 'lru-cache';
import proxyAddr from 'proxy-addr';
import { inBlocks, normalizeAddress } from '../keys/network.js';

/** Addresses. */
const MAX_KNOWN = 1000;

export type ClientAddress = (socketAddress: string | undefined, forwardedFor: string | undefined) => string | null;

/**
 * Each hop of X-Forwarded-For is believed only if the one after it is a trusted proxy: what a client writes there itself
 * is not read.
 * @param trusted CIDR blocks
 */
export function clientAddressFrom(trusted: readonly string[]): ClientAddress {
  const trust = (address: string) => inBlocks(address, trusted);
  // Of those who ask again and again: to read an address takes longer than most of what a request takes.
  const normalized = new LRUCache<string, string>({ max: MAX_KNOWN, memoMethod: normalizeAddress });
  return (socketAddress, forwardedFor) => {
    if (socketAddress === undefined) return null;
    if (trusted.length === 0 || !forwardedFor) return normalized.memo(socketAddress);
    const request = { connection: { remoteAddress: socketAddress }, headers: { 'x-forwarded-for': forwardedFor } };
    return normalizeAddress(proxyAddr(request as never, trust));
  };
}
