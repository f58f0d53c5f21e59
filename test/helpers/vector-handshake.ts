/** Both sides of a vector's handshake in the native sessions that ship, with the randomness of the vector. */
import { DESCRIPTORS_FROM, DESCRIPTOR_WORDS } from '../../src/native.js';
import type { NativeAddress, StreamSession } from '../../src/native.js';
import { hex } from './vectors.js';
import type { DataReject, HelloReject, Vector } from './vectors.js';
import { addon } from './vectors-addon.js';
import type { NativeClasses } from './vectors-addon.js';

const SERVER_ID = 'eai';
export const CAPABILITIES: readonly string[] = ['ui:control'];
export const TTL_MS = 3_600_000;
/** Every bit that has a meaning. */
const ALL_FEATURES = 15;
const HANDSHAKE_TIMEOUT = 10_000;

const names = new Map(addon.errorTable().map(({ value, name }) => [value, name]));

/** Returns the code of a failed hot call. */
export function codeOfResult(result: number): string | undefined {
  return names.get(-result);
}

/** What the sides of one handshake are made of. */
export interface Setup {
  readonly key: Buffer;
  readonly serviceId: string;
  readonly isPskOnly: boolean;
  readonly suites: number;
  readonly features: number;
  readonly suite: number;
  readonly channelBinding: Buffer;
  readonly clientRandom: Buffer;
  readonly serverRandom: Buffer;
}

export function setupOfVector(vector: Vector): Setup {
  return {
    key: hex(vector.psk_hex),
    serviceId: vector.service_id,
    isPskOnly: vector.kx === 0,
    suites: vector.suites,
    features: vector.features,
    suite: vector.suite,
    channelBinding: hex(vector.channel_binding),
    clientRandom: hex(vector.client_nonce + vector.client_x25519_private),
    serverRandom: hex(vector.server_nonce + vector.server_x25519_private + sessionIdHex(vector)),
  };
}

export function setupOfDataReject(reject: DataReject): Setup {
  return {
    ...setupOfHello(reject, reject.client_hello),
    suite: reject.suite,
    serverRandom: hex(reject.server_nonce + reject.server_x25519_private + sessionIdHex(reject)),
  };
}

/** The server's secret is not among what these rows say, and is never needed: they end at the server's first look. */
export function setupOfHelloReject(reject: HelloReject): Setup {
  const hello = hex(reject.good_server_hello);
  return {
    ...setupOfHello(reject, reject.good_client_hello),
    suite: 1,
    serverRandom: Buffer.concat([hello.subarray(32, 64), Buffer.alloc(32, 7), hello.subarray(24, 32)]),
  };
}

function setupOfHello(row: DataReject | HelloReject, clientHello: string): Omit<Setup, 'suite' | 'serverRandom'> {
  const hello = hex(clientHello);
  return {
    key: hex(row.psk_hex),
    serviceId: row.service_id,
    isPskOnly: false,
    suites: hello.readUInt16BE(18),
    features: hello.readUInt32BE(20),
    channelBinding: hello.subarray(96, 128),
    clientRandom: hex(row.client_nonce + row.client_x25519_private),
  };
}

function sessionIdHex({ session_id }: { readonly session_id: string }): string {
  return BigInt(session_id).toString(16).padStart(16, '0');
}

/** A server for the service of `setup`, made of the classes of one addon. */
export function addressOf(setup: Setup, { NativeKey, NativeServer }: NativeClasses): NativeAddress {
  const key = NativeKey.fromBytes(setup.key, false);
  const server = new NativeServer({
    serverId: SERVER_ID,
    services: [{ id: setup.serviceId, keys: [key], capabilities: [...CAPABILITIES] }],
    ttlMs: TTL_MS,
    handshakeTimeout: HANDSHAKE_TIMEOUT,
    allowPskOnly: setup.isPskOnly,
  });
  return server.address({ suites: [setup.suite], sharedMemory: true, tls: false });
}

/** One side. */
export class Side {
  readonly session: StreamSession;
  readonly #calls: ReturnType<StreamSession['calls']>;

  constructor(session: StreamSession) {
    this.session = session;
    this.#calls = session.calls();
  }

  static client(setup: Setup): Side {
    const { suites, features, isPskOnly: pskOnly, channelBinding, clientRandom: random } = setup;
    const options = {
      serviceId: setup.serviceId,
      serverId: SERVER_ID,
      key: addon.NativeKey.fromBytes(setup.key, false),
      suites: [], // the bits below say it
      handshakeTimeout: HANDSHAKE_TIMEOUT,
      maxSegment: 0,
      pskOnly,
    };
    return new Side(addon.vectors.clientSession(options, { random, suites, features, channelBinding }));
  }

  static server(setup: Setup): Side {
    const { channelBinding, serverRandom: random } = setup;
    const fixed = { random, features: ALL_FEATURES, channelBinding };
    return new Side(addon.vectors.serverSession(addressOf(setup, addon), fixed));
  }

  /** Takes a frame of the peer and returns this side's answer; both without their length. */
  receive(frame: Uint8Array): Buffer | undefined {
    const chunk = Buffer.alloc(4 + frame.length);
    chunk.writeUInt32BE(frame.length);
    chunk.set(frame, 4);
    const words = new Uint32Array(DESCRIPTORS_FROM + DESCRIPTOR_WORDS);
    const count = this.#calls.receive(chunk, 0, Buffer.alloc(frame.length + 2_048), 0, words);
    if (count !== 0) throw new Error(`a frame of a handshake gave ${count} messages`);
    return this.transmit();
  }

  /** Takes the one frame this side wants written. */
  transmit(): Buffer | undefined {
    const bytes = this.session.takeTransmit();
    if (bytes === null) return undefined;
    const frame = Buffer.from(bytes.subarray(4));
    if (Buffer.from(bytes).readUInt32BE() !== frame.length) throw new Error('more than one frame, or a wrong length');
    return frame;
  }

  /** The code this side ended with. */
  get ended(): string | undefined {
    const code = this.session.outcome()?.code;
    return code === undefined ? undefined : names.get(code);
  }
}

/** What both sides say, in order. */
export interface Exchange {
  readonly client: Side;
  readonly server: Side;
  readonly said: readonly (string | undefined)[];
}

/** Lets both sides shake hands: ClientHello, ServerHello, ClientFinish, SessionAccept. */
export function shakeHands(setup: Setup): Exchange {
  const [client, server] = [Side.client(setup), Side.server(setup)];
  const said: (string | undefined)[] = [];
  let frame = client.transmit();
  for (const receiver of [server, client, server, client]) {
    said.push(frame?.toString('hex'));
    frame = frame === undefined ? undefined : receiver.receive(frame);
  }
  return { client, server, said };
}
