// The native session of a server inside TLS: it reads nothing before it was bound, by 32 bytes, once; and its client must be bound to the same.
import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';

import { Key } from '../../src/index.js';
import { nativeKey } from '../../src/key.js';
import { DESCRIPTOR_WORDS, DESCRIPTORS_FROM, NativeServer, STATE, StreamSession } from '../../src/native.js';

const key = nativeKey(Key.fromBytes(randomBytes(32)), 2);
const EXPORTER = randomBytes(32);
const services = [{ id: 'eni', keys: [key], capabilities: [] }];
const server = new NativeServer({
  serverId: 'eipc',
  services,
  ttlMs: 0,
  handshakeTimeout: 10_000,
  allowPskOnly: false,
});

function serverSession(tls = true): StreamSession {
  return StreamSession.server(server.address({ suites: [1], sharedMemory: false, tls }));
}

/** What a client says first. */
function hello(tlsExporter?: Uint8Array): Uint8Array {
  const client = StreamSession.client({
    serviceId: 'eni',
    key,
    suites: [1],
    handshakeTimeout: 10_000,
    maxSegment: 0,
    pskOnly: false,
    ...(tlsExporter === undefined ? {} : { tlsExporter }),
  });
  return client.takeTransmit() ?? new Uint8Array(0);
}

/** Gives a session bytes. Returns its state, and why it ended if it has. */
function receive(session: StreamSession, bytes: Uint8Array): { state: number; why: string } {
  const words = new Uint32Array(DESCRIPTORS_FROM + DESCRIPTOR_WORDS);
  session.calls().receive(bytes, 0, Buffer.alloc(8_192), 0, words);
  return { state: session.state(), why: session.outcome()?.context ?? '' };
}

describe('a server’s session inside TLS', () => {
  it.each([
    ['a hello without a binding', () => hello()],
    ['a hello that is bound', () => hello(EXPORTER)],
    ['one byte', () => Buffer.of(0)],
  ])('that was not bound ends with the first bytes it is given: %s', (_, bytes) => {
    const { state, why } = receive(serverSession(), bytes());
    expect({ state, why }).toEqual({ state: STATE.closed, why: 'bytes of a TLS connection that was not bound' });
  });

  it('that was bound takes the hello of its own connection and no other', () => {
    for (const [bytes, state] of [
      [hello(EXPORTER), STATE.handshaking],
      [hello(randomBytes(32)), STATE.closed],
      [hello(), STATE.closed],
    ] as const) {
      const session = serverSession();
      session.bindTls(EXPORTER);
      expect(receive(session, bytes).state).toBe(state);
    }
  });

  it('is bound once, by an exporter of the right length, and only there', () => {
    const session = serverSession();
    for (const length of [0, 31, 33]) expect(() => session.bindTls(new Uint8Array(length))).toThrow(/has 32 bytes/);
    session.bindTls(EXPORTER);
    expect(() => session.bindTls(EXPORTER)).toThrow(/does not wait for TLS/);
    expect(() => serverSession(false).bindTls(EXPORTER)).toThrow(/does not wait for TLS/);
    expect(() => hello(new Uint8Array(16))).toThrow(/has 32 bytes/);
  });

  it('counts its time from its beginning', () => {
    const session = serverSession();
    const before = session.timeoutMs();
    session.bindTls(EXPORTER);
    expect(session.timeoutMs()).toBeLessThanOrEqual(before);
  });
});
