import { describe, expect, it } from 'vitest';

import { connect, Key, listen, Router } from '../../src/index.js';
import { connectSettings, listenSettings, waitTimeout } from '../../src/settings.js';
import type { ConnectOptions, ListenOptions } from '../../src/options.js';
import { suiteNumbers } from '../../src/suites.js';
import { parseAddress } from '../../src/transport/address.js';

const KEY = new Uint8Array(32).map((_, index) => index * 7 + 129);
const CLIENT: ConnectOptions = { serviceId: 'eni.min', key: KEY };
const SERVER: ListenOptions = { services: { 'eni.min': { key: KEY, capabilities: ['ui:control'] } } };

const connectWith = (options: object) => () => connectSettings({ ...CLIENT, ...options });
const listenWith = (options: object) => () => listenSettings({ ...SERVER, ...options });

describe('options', () => {
  it('have the documented defaults', () => {
    expect(connectSettings(CLIENT)).toMatchObject({
      router: null,
      inboxLimit: 1_024,
      concurrency: 64,
      wait: 'adaptive',
      sendTimeout: 5_000,
      requestTimeout: 5_000,
      handshakeTimeout: 10_000,
    });
    expect(listenSettings(SERVER)).toMatchObject({
      serverId: 'eipc',
      maxConnections: 64,
      maxUnauthenticated: 1_024,
      allowPskOnly: false,
      sessionTtl: 0,
    });
    expect(listenSettings(SERVER).router).toBeInstanceOf(Router);
    expect(listenSettings({ ...SERVER, router: null }).router).toBeNull();
  });

  it('that are not known are refused with the names that are', () => {
    expect(connectWith({ timeout: 5 })).toThrow(/no option 'timeout'.*sendTimeout/);
    expect(listenWith({ lanes: { 0: { size: 1 } } })).toThrow(/size/);
    expect(listenWith({ lanes: { 4: {} } })).toThrow(TypeError);
    expect(connectWith({ inbox: { max: 1 } })).toThrow(/max/);
  });

  it('out of range name the value', () => {
    for (const name of ['sendTimeout', 'requestTimeout', 'handshakeTimeout']) {
      for (const value of [Infinity, NaN, 0, -1, 2 ** 31])
        expect(connectWith({ [name]: value }), `${name} ${value}`).toThrow(RangeError);
      expect(connectWith({ [name]: '5' })).toThrow(TypeError);
    }
    for (const value of [0, 1.5, 70_000, Infinity])
      expect(connectWith({ inbox: { limit: value } })).toThrow(RangeError);
    expect(connectWith({ concurrency: 0 })).toThrow(/concurrency is 0/);
    expect(connectWith({ wait: 'spin' })).toThrow(/'spin'.*adaptive, park, poll/);
    expect(connectWith({ lanes: { 1: { onFull: 'drop' } } })).toThrow(RangeError);
    expect(connectWith({ router: {} })).toThrow(TypeError);
    expect(connectWith({ codec: { marshal() {} } })).toThrow(TypeError);
    expect(listenWith({ maxConnections: 0 })).toThrow(RangeError);
    expect(listenWith({ audit: {} })).toThrow(/audit must be an AuditLogger/);
    expect(listenWith({ audit: { log: () => Promise.resolve() } })).not.toThrow();
    expect(() => waitTimeout({ timeout: Infinity }, 1)).toThrow(/Infinity/);
    expect(() => waitTimeout({ signal: {} as AbortSignal }, 1)).toThrow(TypeError);
  });

  it('of reconnecting and heartbeats have the figures of the original, and ranges', () => {
    expect(connectSettings(CLIENT).reconnect).toBeUndefined();
    expect(connectSettings({ ...CLIENT, reconnect: {} }).reconnect).toEqual({
      maxAttempts: 10,
      initialDelay: 100,
      multiplier: 2,
      maxDelay: 30_000,
      jitter: 0.2,
    });
    expect(connectSettings({ ...CLIENT, heartbeat: {} }).heartbeat).toEqual({ interval: 5_000, timeout: 15_000 });
    expect(connectSettings(CLIENT).heartbeat).toBeUndefined();
    expect(connectWith({ reconnect: { maxAttempts: Infinity } })).not.toThrow();
    expect(connectWith({ reconnect: true })).toThrow(/reconnect needs an options object, not true/);
    expect(connectWith({ reconnect: { retries: 3 } })).toThrow(/no option 'retries'.*maxAttempts/);
    expect(listenWith({ reconnect: {} })).toThrow(/no option 'reconnect'/);
    for (const policy of [
      { maxAttempts: 0 },
      { maxAttempts: 1.5 },
      { initialDelay: 0 },
      { initialDelay: Infinity },
      { multiplier: 0.5 },
      { multiplier: Infinity },
      { maxDelay: 99 },
      { jitter: -0.1 },
      { jitter: NaN },
    ])
      expect(connectWith({ reconnect: policy }), JSON.stringify(policy)).toThrow(RangeError);
    expect(connectWith({ reconnect: { maxDelay: 99 } })).toThrow(/maxDelay is 99.*initialDelay, which is 100/);
    expect(connectWith({ reconnect: { jitter: '1' } })).toThrow(TypeError);
    for (const value of [0, Infinity, -1]) {
      expect(listenWith({ heartbeat: { interval: value } })).toThrow(/heartbeat\.interval/);
      expect(connectWith({ heartbeat: { timeout: value } })).toThrow(/heartbeat\.timeout/);
    }
  });

  it('of services refuse ids, keys and capabilities that cannot be right', () => {
    const services = (entries: object) => listenWith({ services: entries });
    expect(services({ 'Eni Min': { key: KEY, capabilities: [] } })).toThrow(RangeError);
    expect(services({ eipc: { key: KEY, capabilities: [] } })).toThrow(/serverId/);
    expect(services({ a: { key: KEY, capabilities: [] }, b: { key: KEY, capabilities: [] } })).toThrow(/same key/);
    expect(services({ a: { key: [], capabilities: [] } })).toThrow(RangeError);
    expect(services({ a: { key: KEY, capabilities: [''] } })).toThrow(RangeError);
    expect(services({ a: { key: new Uint8Array(31), capabilities: [] } })).toThrow(/31 bytes/);
    expect(services({ a: { key: 'text', capabilities: [] } })).toThrow(TypeError);
  });

  it('of suites know all names and accept what this build has', () => {
    const address = parseAddress('shm:x');
    expect(suiteNumbers(undefined, address, false)).toEqual([1, 3, 2]);
    expect(suiteNumbers(['hmac-sha256'], address, false)).toEqual([1]);
    expect(suiteNumbers(['aes-256-gcm'], address, false)).toEqual([3]);
    expect(() => suiteNumbers(['rot13' as 'aes-256-gcm'], address, false)).toThrow(/no suite 'rot13'/);
    expect(() => suiteNumbers([], address, false)).toThrow(TypeError);
    expect(() => suiteNumbers('hmac-sha256' as never, address, false)).toThrow(TypeError);
  });

  it('of suites keep messages that are only authenticated off the network', () => {
    for (const local of [
      'unix:/x',
      'memory:x',
      'tcp://127.0.0.1:1',
      'tcp://[::1]:1',
      'tcp://localhost:1',
      'tls://host:1',
    ])
      expect(suiteNumbers(['hmac-sha256'], parseAddress(local), false), local).toEqual([1]);
    for (const network of ['tcp://host:1', 'tcp://0.0.0.0:1', 'tcp://[::]:1', 'tcp://127.example.org:1']) {
      const address = parseAddress(network);
      expect(() => suiteNumbers(['hmac-sha256'], address, false), network).toThrow(
        /does not encrypt.*dangerousPlaintext/,
      );
      expect(suiteNumbers(['hmac-sha256'], address, true)).toEqual([1]);
      expect(suiteNumbers(undefined, address, false)).toEqual([3, 2]);
      expect(suiteNumbers(undefined, address, true)).toEqual([3, 2, 1]);
    }
    expect(connectWith({ dangerousPlaintext: 1 })).toThrow(TypeError);
    expect(connectWith({ dangerousPlaintext: true })).not.toThrow();
  });

  it('that a transport cannot honour are refused', async () => {
    await expect(connect('shm:x', { ...CLIENT, lanes: { 1: { capacity: 65_536 } } })).rejects.toThrow(/fixed sizes/);
    await expect(listen('unix:/tmp/x.sock', { ...SERVER, wait: 'poll' })).rejects.toThrow(/shm only/);
    await expect(connect('tcp://localhost:1', { ...CLIENT, tls: {} })).rejects.toThrow(/has no TLS; use tls:/);
    await expect(listen(['memory:x', 'tcp://localhost:0'], { ...SERVER, tls: {} })).rejects.toThrow(
      /memory:x, tcp:\/\/localhost:0 has no TLS/,
    );
    await expect(connect('tcp://localhost:0', CLIENT)).rejects.toThrow(/port 0 is for listening/);
    await expect(connect('tcp://192.0.2.1:1', { ...CLIENT, suites: ['hmac-sha256'] })).rejects.toThrow(
      /does not encrypt/,
    );
    await expect(listen('tcp://0.0.0.0:0', { ...SERVER, suites: ['hmac-sha256'] })).rejects.toThrow(/does not encrypt/);
    await expect(listen([], SERVER)).rejects.toThrow(RangeError);
  });
});

describe('keys', () => {
  it('print only their id', () => {
    const key = Key.fromBytes(KEY);
    expect(String(key)).toMatch(/^Key\([0-9a-f]{16}\)$/);
    expect(JSON.stringify(key)).toBe('{}');
  });

  it('that are phrases are refused unless written out', () => {
    const phrase = Buffer.from('correct horse battery staple, twice over');
    expect(() => Key.fromBytes(phrase)).toThrow(expect.objectContaining({ code: 'EIPC_KEY' }) as Error);
    expect(() => Key.fromBytes(phrase)).toThrow(
      /a phrase can be guessed: use 32 random bytes \(`eipc keygen` makes them\)/,
    );
    expect(Key.fromBytes(phrase, { dangerousPassphrase: true })).toBeInstanceOf(Key);
  });
});
