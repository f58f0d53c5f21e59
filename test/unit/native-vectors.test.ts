/**
 * What the addon exposes of the vectors: key ids, and a server that takes good ClientHellos and refuses bad ones. Its own randomness is
 * fresh, as it must be, so whole handshakes are replayed in Rust (crates/core/tests/vectors.rs).
 */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import {
  DESCRIPTORS_FROM,
  FLAG,
  NativeKey,
  NativeServer,
  STATE,
  STATUS,
  StreamSession,
  errorTable,
} from '../../src/native.js';

interface Handshake {
  readonly name: string;
  readonly psk_hex: string;
  readonly service_id: string;
  readonly kx: number;
  readonly suite: number;
  readonly key_id: string;
  readonly channel_binding: string;
  readonly client_hello: string;
}
interface HelloReject {
  readonly name: string;
  readonly receiver: string;
  readonly psk_hex: string;
  readonly service_id: string;
  readonly good_client_hello: string;
  readonly frame_hex: string;
  readonly error: string;
}

function load<T>(file: string): T {
  return JSON.parse(readFileSync(new URL(`../vectors/${file}`, import.meta.url), 'utf8')) as T;
}

const { vectors } = load<{ vectors: readonly Handshake[] }>('eipc2.json');
const { hello } = load<{ hello: readonly HelloReject[] }>('eipc2-rejects.json');
const names = new Map(errorTable().map(({ value, name }) => [value, name]));

/** Feeds one frame to a fresh server session and says what it made of it. */
function feed(
  pskHex: string,
  serviceId: string,
  frameHex: string,
): { state: number; error: string | undefined; answer: number | undefined } {
  const key = NativeKey.fromBytes(Buffer.from(pskHex, 'hex'), false);
  const server = new NativeServer({
    serverId: 'eai',
    services: [{ id: serviceId, keys: [key], capabilities: [] }],
    ttlMs: 0,
    handshakeTimeout: 10_000,
    allowPskOnly: false,
  }).address({ suites: [1], sharedMemory: false });
  const session = StreamSession.server(server);
  const frame = Buffer.from(frameHex, 'hex');
  const chunk = Buffer.alloc(4 + frame.length);
  chunk.writeUInt32BE(frame.length);
  frame.copy(chunk, 4);
  const words = new Uint32Array(DESCRIPTORS_FROM + 8);
  expect(session.calls().receive(chunk, 0, Buffer.alloc(8_192), 0, words)).toBe(0);
  expect((words[STATUS.flags] ?? 0) & FLAG.transmit).toBe(FLAG.transmit);
  const code = session.outcome()?.code;
  return {
    state: session.state(),
    error: code === undefined ? undefined : names.get(code),
    answer: session.takeTransmit()?.[4 + 6],
  };
}

it.each(vectors)('$name has its key id', ({ psk_hex, key_id }) => {
  expect(NativeKey.fromBytes(Buffer.from(psk_hex, 'hex'), false).id).toBe(key_id);
});

describe('a server behind the addon', () => {
  const good = vectors.filter(
    ({ suite, kx, channel_binding }) => suite === 1 && kx === 1 && /^0+$/.test(channel_binding),
  );
  it.each(good)('answers the hello of $name', ({ psk_hex, service_id, client_hello }) => {
    const { state, error, answer } = feed(psk_hex, service_id, client_hello);
    expect({ state, error, answer }).toEqual({ state: STATE.handshaking, error: undefined, answer: 'H'.charCodeAt(0) });
  });

  const bad = hello.filter(({ receiver }) => receiver === 'server');
  it.each(bad)('refuses: $name', ({ psk_hex, service_id, good_client_hello, frame_hex, error }) => {
    // The good hello of the row is answered, so it is the fault that is refused.
    expect(feed(psk_hex, service_id, good_client_hello).error).toBeUndefined();
    const refused = feed(psk_hex, service_id, frame_hex);
    expect(refused).toEqual({ state: STATE.closed, error: `EIPC_${error}`, answer: 'E'.charCodeAt(0) });
  });

  it('saw every row there is', () => {
    expect([vectors.length, good.length, bad.length]).toEqual([12, 2, 14]);
  });
});
