import { describe, expect, it } from 'vitest';
import { readCredential } from '../../src/auth/credential.js';
import { ConfigError, readConfig } from '../../src/config.js';
import { clientAddressFrom } from '../../src/http/clientAddress.js';

describe('a credential', () => {
  it.each([
    [undefined, undefined, { kind: 'none' }],
    ['Bearer k', undefined, { kind: 'key', key: 'k' }],
    ['bearer   k ', undefined, { kind: 'key', key: 'k' }],
    ['k', undefined, { kind: 'none' }],
    ['Basic k', undefined, { kind: 'none' }],
    ['Bearer a b', undefined, { kind: 'none' }],
    ['Basic k', 'x', { kind: 'key', key: 'x' }],
    [undefined, ' x ', { kind: 'key', key: 'x' }],
    ['Bearer x', 'x', { kind: 'key', key: 'x' }],
    ['Bearer x', 'y', { kind: 'conflict' }],
  ])('from %s and %s', (authorization, apiKey, expected) => {
    expect(readCredential(authorization, apiKey)).toEqual(expected);
  });
});

describe("the client's address", () => {
  it.each([
    ['1.1.1.1', undefined, [], '1.1.1.1'],
    ['::ffff:1.1.1.1', undefined, [], '1.1.1.1'],
    ['1.1.1.1', '9.9.9.9', [], '1.1.1.1'],
    ['1.1.1.1', '9.9.9.9', ['10.0.0.0/8'], '1.1.1.1'],
    ['10.0.0.1', '9.9.9.9', ['10.0.0.0/8'], '9.9.9.9'],
    ['10.0.0.1', '6.6.6.6, 9.9.9.9', ['10.0.0.0/8'], '9.9.9.9'],
    ['10.0.0.1', '6.6.6.6, 9.9.9.9, 10.0.0.2', ['10.0.0.0/8'], '9.9.9.9'],
    ['10.0.0.1', '', ['10.0.0.0/8'], '10.0.0.1'],
    ['10.0.0.1', '9.9.9.9, ', ['10.0.0.0/8'], '9.9.9.9'],
    ['::ffff:10.0.0.1', '::ffff:9.9.9.9', ['10.0.0.0/8'], '9.9.9.9'],
    ['10.0.0.1', 'no address', ['10.0.0.0/8'], 'no address'],
    [undefined, '9.9.9.9', ['0.0.0.0/0'], null],
  ])('of socket %s and X-Forwarded-For %s, trusting %j, is %s', (socket, forwarded, trusted, expected) => {
    expect(clientAddressFrom(trusted)(socket, forwarded)).toBe(expected);
  });
});

describe('configuration', () => {
  it('has defaults that need nothing', () => {
    expect(readConfig({})).toMatchObject({
      port: 4000,
      host: '127.0.0.1',
      databaseUrl: 'file:./data/taskgate.db',
      provider: 'sqlite',
      workers: 1,
      requireHttps: false,
      trustProxy: [],
      defaultPlan: 'professional',
      authFailureLimit: 20,
      logLevel: 'info',
    });
  });

  it('asks for HTTPS in production, unless the address is local', () => {
    expect(readConfig({ NODE_ENV: 'production' }).requireHttps).toBe(false);
    expect(readConfig({ NODE_ENV: 'production', HOST: '0.0.0.0' }).requireHttps).toBe(true);
    expect(readConfig({ NODE_ENV: 'production', HOST: '0.0.0.0', REQUIRE_HTTPS: 'false' }).requireHttps).toBe(false);
  });

  it.each([
    ['PORT', 'abc'],
    ['PORT', '70000'],
    ['PORT', '-1'],
    ['HOST', 'a b'],
    ['DATABASE_URL', 'mysql://x'],
    ['DATABASE_URL', 'file:'],
    ['REDIS_URL', 'localhost'],
    ['WEB_CONCURRENCY', '0'],
    ['TASKGATE_BOOTSTRAP_KEY', 'sk_live_short'],
    ['TASKGATE_SAMPLE_DATA', 'maybe'],
    ['REQUIRE_HTTPS', 'x'],
    ['TRUST_PROXY', '10.0.0.0/99'],
    ['DEFAULT_PLAN', 'gold'],
    ['AUTH_FAILURE_LIMIT', '0'],
    ['LOG_LEVEL', 'loud'],
    ['TLS_CERT_FILE', 'cert.pem'],
  ])('refuses %s=%s in one line that names it', (name, value) => {
    const read = () => readConfig({ [name]: value });
    expect(read).toThrow(ConfigError);
    expect(read).toThrow(new RegExp(`^${name}.*(must|together)[^\\n]*$`));
  });

  it('never repeats a bootstrap key or a database password in an error', () => {
    const wrong = 'sk_live_0000000000000000000000000000000000000000000000000';
    expect(() => readConfig({ TASKGATE_BOOTSTRAP_KEY: wrong })).toThrow(expect.not.stringContaining(wrong) as never);
    expect(() => readConfig({ DATABASE_URL: 'mysql://u:secret@h/d' })).toThrow(
      expect.not.stringContaining('secret') as never,
    );
  });
});
