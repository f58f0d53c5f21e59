/**
 * What the conformance tests share: every transport and what is spoken on it, and servers and clients on it that are closed after each test.
 */
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { networkInterfaces, tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect } from 'vitest';

import { connect, Key, listen } from '../../src/index.js';
import { EITHER_END } from './certificates.js';
import type {
  ClientEndpoint,
  CloseOptions,
  ConnectOptions,
  ListenOptions,
  Outgoing,
  Server,
  ServerEndpoint,
  TransportName,
} from '../../src/index.js';
import { pipePath } from '../../src/transport/pipe-path.js';

/** Milliseconds that a test waits for what must come: a deadline for a lost message, which no slow or emulated machine comes near. */
export const PATIENCE = 25_000;

/** A way to connect. */
interface Way {
  readonly name: string;
  readonly transport: TransportName;
  readonly isStream: boolean;
  readonly isHere: boolean;
  readonly address: (folder: string, number: number) => string;
}

const interfaces = Object.values(networkInterfaces()).flat();

const hasUnixSockets = process.platform !== 'win32';

/** Where there are none, the project `pipes` has a stand-in for them. */
const PIPES: readonly Way[] =
  pipePath('eai') === undefined
    ? []
    : [
        {
          name: 'pipe',
          transport: 'pipe',
          isStream: true,
          isHere: true,
          // The name of the folder is this scene's alone, too.
          address: (folder, n) => `pipe:${basename(folder).toLowerCase()}-${n}`,
        },
      ];

const WAYS: readonly Way[] = [
  {
    name: 'shm',
    transport: 'shm',
    isStream: false,
    isHere: hasUnixSockets,
    address: (folder, n) => `shm:${join(folder, `s${n}`)}`,
  },
  {
    name: 'unix',
    transport: 'unix',
    isStream: true,
    isHere: hasUnixSockets,
    address: (folder, n) => `unix:${join(folder, `s${n}`)}`,
  },
  { name: 'tcp (IPv4)', transport: 'tcp', isStream: true, isHere: true, address: () => 'tcp://127.0.0.1:0' },
  {
    name: 'tcp (IPv6)',
    transport: 'tcp',
    isStream: true,
    isHere: interfaces.some((one) => one?.address === '::1'),
    address: () => 'tcp://[::1]:0',
  },
  { name: 'tls', transport: 'tls', isStream: true, isHere: true, address: () => 'tls://127.0.0.1:0' },
  ...PIPES,
  { name: 'memory', transport: 'memory', isStream: true, isHere: true, address: (_, n) => `memory:s${n}` },
];

/** What both ends speak. */
interface Speech {
  readonly name: string;
  readonly protocol: 1 | 2;
  readonly auth: 'challenge' | 'mac' | undefined;
}

const EIPC2: Speech = { name: '', protocol: 2, auth: undefined };
const V1: readonly Speech[] = [
  { name: ', v1', protocol: 1, auth: 'challenge' },
  { name: ', v1 by MAC only', protocol: 1, auth: 'mac' },
];
/** The one way that is to be tried. */
const ONLY = process.env['EIPC_TEST_WAY'];
/** Where v1 is tried: one of each kind of stream is enough. */
const WAYS_OF_V1 = new Set(['unix', 'tcp (IPv4)', 'tls', 'pipe', 'memory']);

/** A server's end and a client's end of one connection. */
export interface Pair {
  readonly client: ClientEndpoint;
  readonly server: ServerEndpoint;
  readonly listening: Server;
}

interface Closable {
  close(options: CloseOptions): Promise<void>;
}

/** Servers and clients on one transport. The folder of their sockets is empty after each test. */
export class Scene {
  readonly key = Key.fromBytes(randomBytes(32));
  readonly transport: TransportName;
  readonly protocol: 1 | 2;
  /** Whether a client proves itself before its first message. */
  readonly hasHandshake: boolean;
  readonly #way: Way;
  readonly #speech: Speech;
  readonly #open: Closable[] = [];
  #folder = '';
  #count = 0;

  constructor(way: Way, speech: Speech) {
    this.#way = way;
    this.#speech = speech;
    this.transport = way.transport;
    this.protocol = speech.protocol;
    this.hasHandshake = speech.auth !== 'mac';
    beforeAll(() => {
      this.#folder = mkdtempSync(join(tmpdir(), 'eipc-conformance-'));
    });
    afterEach(async () => {
      // A peer whose inbox a test left full never reads the goodbye.
      await Promise.all(this.#open.splice(0).map((one) => one.close({ timeout: 200 })));
      expect(readdirSync(this.#folder)).toEqual([]);
    });
    afterAll(() => {
      rmSync(this.#folder, { recursive: true, force: true });
    });
  }

  /** Returns an address that nobody listens on. */
  newAddress(): string {
    this.#count += 1;
    return this.#way.address(this.#folder, this.#count);
  }

  /** Has something closed after the test. */
  closeLater<T extends Closable>(one: T): T {
    this.#open.push(one);
    return one;
  }

  /** What the options of either end say about what is spoken, and `trust`. */
  get speech(): Pick<ConnectOptions, 'protocol' | 'auth' | 'tls'> {
    const { protocol, auth } = this.#speech;
    return {
      ...(protocol === 2 ? {} : { protocol, ...(auth === undefined ? {} : { auth }) }),
      ...this.trust,
    };
  }

  /** What the options of either end say about whom to believe. */
  get trust(): Pick<ConnectOptions, 'tls'> {
    return this.transport === 'tls' ? { tls: EITHER_END } : {};
  }

  async serve(options: Partial<ListenOptions> = {}): Promise<Server> {
    const services = { eni: { key: this.key, capabilities: ['ui:control'] } };
    return this.closeLater(await listen(this.newAddress(), { services, ...this.speech, ...options }));
  }

  /** Connects. Without a handshake both ends know each other after a first exchange, which is part of this. */
  async dial(server: Server | string, options: Partial<ConnectOptions> = {}): Promise<ClientEndpoint> {
    const address = typeof server === 'string' ? server : addressOf(server);
    const client = await connect(address, { serviceId: 'eni', key: this.key, ...this.speech, ...options });
    if (!this.hasHandshake) await client.ping();
    return client;
  }

  /** Connects a client to a server of its own that has an inbox. `through` may put something between them. */
  async pair(
    options: Partial<ListenOptions> = {},
    client: Partial<ConnectOptions> = {},
    through: (address: string) => Promise<string> = (address) => Promise.resolve(address),
  ): Promise<Pair> {
    const listening = await this.serve({ router: null, ...options });
    const accepted = listening[Symbol.asyncIterator]().next();
    const dialled = await this.dial(await through(addressOf(listening)), client);
    const next = await accepted;
    if (next.done === true) throw new Error('the server ended');
    return { client: dialled, server: next.value, listening };
  }
}

/** Runs the same tests over every transport, or only those that are byte streams, in EIPC/2 and where it can be in v1. */
export function overEveryTransport(tests: (scene: Scene) => void): void {
  over(WAYS, tests);
}

export function overEveryStream(tests: (scene: Scene) => void): void {
  over(
    WAYS.filter((way) => way.isStream),
    tests,
  );
}

function over(ways: readonly Way[], tests: (scene: Scene) => void): void {
  for (const way of ways.filter(({ name }) => ONLY === undefined || name === ONLY)) {
    const speeches = WAYS_OF_V1.has(way.name) ? [EIPC2, ...V1] : [EIPC2];
    for (const speech of speeches)
      describe.skipIf(!way.isHere)(`over ${way.name}${speech.name}`, () => tests(new Scene(way, speech)));
  }
}

export function addressOf(server: Server): string {
  const [address] = server.addresses;
  if (address === undefined) throw new Error('the server listens nowhere');
  return address;
}

/** Sends until the lane stays full: the peer's buffers are full as well. Returns how many were accepted. */
export async function fill(client: ClientEndpoint | ServerEndpoint, message: Outgoing): Promise<number> {
  let accepted = 0;
  for (let refused = 0; refused < 50;) {
    if (client.trySend(message)) {
      accepted += 1;
      refused = 0;
    } else {
      refused += 1;
      await setImmediate();
    }
  }
  return accepted;
}

/** Whole numbers that are the same in every run. */
export class Dice {
  #state: number;

  constructor(seed: number) {
    this.#state = seed;
  }

  /** Returns 0 … `below` − 1. */
  below(below: number): number {
    // Numerical Recipes' generator; its high bits are good enough to cut chunks by.
    this.#state = (Math.imul(this.#state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((this.#state / 2 ** 32) * below);
  }
}
