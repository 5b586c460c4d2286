import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { displayPrefix, generateKey, hashKey, KEY_PATTERN, parseKey } from '../../src/keys/format.js';
import { blockWithin, inBlocks, normalizeBlock } from '../../src/keys/network.js';

const ALPHABET = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
const environment = fc.constantFrom('LIVE' as const, 'TEST' as const);

describe('a key', () => {
  it('is the prefix, 43 characters and a checksum that others can compute', () => {
    fc.assert(
      fc.property(environment, (env) => {
        const key = generateKey(env);
        expect(key).toMatch(env === 'LIVE' ? /^sk_live_[0-9A-Za-z]{49}$/ : /^sk_test_[0-9A-Za-z]{49}$/);
        let rest = crc32(Buffer.from(key.slice(0, -6), 'ascii'));
        let checksum = '';
        for (let i = 0; i < 6; i += 1) {
          checksum = ALPHABET[rest % 62] + checksum;
          rest = Math.floor(rest / 62);
        }
        expect(key.slice(-6)).toBe(checksum);
        expect(parseKey(key)).toEqual({ environment: env });
        expect(`text ${key}, more`.match(KEY_PATTERN)).toEqual([key]);
      }),
    );
  });

  it('carries all 32 random bytes', () => {
    expect(generateKey('LIVE', Buffer.alloc(32, 0)).slice(8, 51)).toBe('0'.repeat(43));
    const largest = generateKey('LIVE', Buffer.alloc(32, 255));
    expect(largest).toHaveLength(57);
    expect(new Set(Array.from({ length: 1000 }, () => generateKey('LIVE'))).size).toBe(1000);
  });

  it('with one character changed, swapped, added or left out is none', () => {
    fc.assert(
      fc.property(environment, fc.nat(56), fc.constantFrom(...ALPHABET), (env, at, character) => {
        const key = generateKey(env);
        const changed = key.slice(0, at) + character + key.slice(at + 1);
        if (changed !== key) expect(parseKey(changed)).toBeUndefined();
        expect(parseKey(key.slice(0, at) + key.slice(at + 1))).toBeUndefined();
        expect(parseKey(key.slice(0, at) + character + key.slice(at))).toBeUndefined();
      }),
    );
    fc.assert(fc.property(fc.string(), (text) => parseKey(text) === undefined));
  });

  it('is stored as its scheme and digest, and shown by its beginning', () => {
    expect(hashKey('abc')).toBe('sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad');
    const key = generateKey('LIVE');
    expect(displayPrefix(key)).toBe(`${key.slice(0, 11)}...`);
  });
});

describe('an allow-list', () => {
  it.each([
    ['10.1.2.3', '10.0.0.0/8', true],
    ['11.1.2.3', '10.0.0.0/8', false],
    ['10.1.2.3', '10.1.2.3', true],
    ['::ffff:10.1.2.3', '10.0.0.0/8', true],
    ['10.1.2.3', '::ffff:10.0.0.0/104', true],
    ['2001:db8::1', '2001:db8::/32', true],
    ['2001:db9::1', '2001:db8::/32', false],
    ['10.1.2.3', '::/0', false],
    ['nonsense', '0.0.0.0/0', false],
  ])('%s in %s: %s', (address, block, expected) => {
    expect(inBlocks(address, [block])).toBe(expected);
  });

  it('is written in its shortest form, and refused when it is none', () => {
    expect(normalizeBlock(' 10.1.2.3/8 ')).toBe('10.0.0.0/8');
    expect(normalizeBlock('10.1.2.3')).toBe('10.1.2.3/32');
    expect(normalizeBlock('2001:db8::1/32')).toBe('2001:db8::/32');
    expect(normalizeBlock('::ffff:10.1.2.3')).toBe('10.1.2.3/32');
    for (const text of ['', '10.0.0.0/33', '10.0.0/8', 'host', '10.0.0.0/-1', '::/129'])
      expect(normalizeBlock(text)).toBeUndefined();
  });

  it('lies within another when all its addresses do', () => {
    const octet = fc.nat(255);
    const block = fc
      .tuple(octet, octet, octet, octet, fc.integer({ min: 0, max: 32 }))
      .map(([a, b, c, d, bits]) => normalizeBlock(`${a}.${b}.${c}.${d}/${bits}`) ?? '');
    fc.assert(
      fc.property(block, block, (inner, outer) => {
        const [network = '', bits = ''] = inner.split('/');
        const last = lastAddress(network, Number(bits));
        expect(blockWithin(inner, outer)).toBe(inBlocks(network, [outer]) && inBlocks(last, [outer]));
      }),
    );
  });
});

function lastAddress(network: string, bits: number): string {
  const number = network.split('.').reduce((sum, part) => sum * 256 + Number(part), 0) + 2 ** (32 - bits) - 1;
  return [24, 16, 8, 0].map((shift) => Math.floor(number / 2 ** shift) % 256).join('.');
}
