/** Where a request comes from: the socket, or what trusted proxies say of it. */
import proxyAddr from 'proxy-addr';
import { inBlocks, normalizeAddress } from '../keys/network.js';

/**
 * Each hop of X-Forwarded-For is believed only if the one after it is a trusted proxy: what a client writes there itself
 * is not read.
 * @param trusted CIDR blocks
 */
export function clientAddressFrom(trusted: readonly string[]) {
  const trust = (address: string) => inBlocks(address, trusted);
  return (socketAddress: string | undefined, forwardedFor: string | undefined): string | null => {
    if (socketAddress === undefined) return null;
    if (trusted.length === 0 || !forwardedFor) return normalizeAddress(socketAddress);
    const request = { connection: { remoteAddress: socketAddress }, headers: { 'x-forwarded-for': forwardedFor } };
    return normalizeAddress(proxyAddr(request as never, trust));
  };
}
