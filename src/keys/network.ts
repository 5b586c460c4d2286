/** IP addresses and CIDR blocks, v4 and v6; an IPv4 address written as IPv6 (::ffff:1.2.3.4) is the IPv4 address. */
import { isIP, isIPv4 } from 'node:net';
import ipaddr from 'ipaddr.js';
import { LRUCache } from 'lru-cache';

type Block = readonly [ipaddr.IPv4 | ipaddr.IPv6, number];

/** A block in its shortest form, e.g. `10.0.0.0/8`; undefined when the text is none. A bare address is a block of one. */
export function normalizeBlock(text: string): string | undefined {
  const block = parseBlock(text.trim());
  if (!block) return undefined;
  const [address, bits] = block;
  const network =
    address.kind() === 'ipv4'
      ? ipaddr.IPv4.networkAddressFromCIDR(`${address.toString()}/${bits}`)
      : ipaddr.IPv6.networkAddressFromCIDR(`${address.toString()}/${bits}`);
  return `${network.toString()}/${bits}`;
}

/** Addresses whose networks are remembered: to find one takes longer than most of what a request takes. */
const MAX_KNOWN = 2000;
const knownNetworks = new LRUCache<string, { readonly network: string | undefined }>({ max: MAX_KNOWN });

/** The network that an address is in, of so many bits for IPv4 and for IPv6; undefined for what is no address. */
export function networkOf(address: string, ipv4: number, ipv6: number): string | undefined {
  const name = `${address}/${ipv4}/${ipv6}`;
  let known = knownNetworks.get(name);
  if (!known) {
    known = { network: findNetwork(address, ipv4, ipv6) };
    knownNetworks.set(name, known);
  }
  return known.network;
}

function findNetwork(address: string, ipv4: number, ipv6: number): string | undefined {
  const normal = normalizeAddress(address);
  return normalizeBlock(`${normal}/${isIPv4(normal) ? ipv4 : ipv6}`);
}

/** Whether an address lies in one of the blocks. An address that cannot be read lies in none. */
export function inBlocks(address: string | null, blocks: readonly string[]): boolean {
  if (address === null || isIP(address) === 0) return false;
  const candidate = ipaddr.process(address);
  return blocks.some((text) => {
    const block = parseBlock(text);
    return (
      block !== undefined &&
      block[0].kind() === candidate.kind() &&
      candidate.match(block as [typeof candidate, number])
    );
  });
}

/** Whether every address of `inner` lies in `outer`. */
export function blockWithin(inner: string, outer: string): boolean {
  const [a, b] = [parseBlock(inner), parseBlock(outer)];
  return (
    a !== undefined &&
    b !== undefined &&
    a[0].kind() === b[0].kind() &&
    a[1] >= b[1] &&
    inBlocks(a[0].toString(), [outer])
  );
}

/** An address in its usual form, `::ffff:` removed. */
export function normalizeAddress(address: string): string {
  return isIP(address) !== 0 ? ipaddr.process(address).toString() : address;
}

function parseBlock(text: string): Block | undefined {
  // The library also takes 10.1 and 0x0a.1 for addresses; people do not mean that.
  if (isIP(text.split('/')[0] ?? '') === 0) return undefined;
  try {
    if (!text.includes('/')) {
      const address = ipaddr.process(text);
      return [address, address.kind() === 'ipv4' ? 32 : 128];
    }
    const [address, bits] = ipaddr.parseCIDR(text);
    if (address.kind() === 'ipv6' && (address as ipaddr.IPv6).isIPv4MappedAddress() && bits >= 96) {
      return [(address as ipaddr.IPv6).toIPv4Address(), bits - 96];
    }
    return [address, bits];
  } catch {
    return undefined;
  }
}
