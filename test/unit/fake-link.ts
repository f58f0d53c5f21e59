// Two endpoints joined in memory by fake links: what endpoint, router, inbox and lanes do is tested here without sockets and native sessions.
import type { OpenSession } from '../../src/open-session.js';
import { ClientEndpoint } from '../../src/client.js';
import type { Priority } from '../../src/message.js';
import type { Outcome, SessionInfo } from '../../src/native.js';
import { DESCRIPTOR_WORDS, DESCRIPTORS_FROM, RECORD_HEADER } from '../../src/native.js';
import type { CommonOptions, ReconnectPolicy } from '../../src/options.js';
import { connectSettings } from '../../src/settings.js';
import type { ClientSettings } from '../../src/settings.js';
import { RECORD } from '../../src/outgoing.js';
import { ServerEndpoint } from '../../src/server-endpoint.js';
import type { Link, LinkReceiver, PeerTransport } from '../../src/transport/transport.js';

const TAIL_LENGTH = 32;

export class FakeLink implements Link {
  transport: PeerTransport = 'memory';
  readonly credentials = { uid: 1, gid: 2, pid: 3 };
  readonly dropped = [0, 0, 0, 0];
  peer: FakeLink | undefined;
  receiver: LinkReceiver | undefined;
  /** Bytes that fit in each lane. */
  capacity = 1_048_576;
  /** What `push` answers instead of working. */
  failure = 0;
  /** Whether what is pushed stays here, accepted and not sent, as on a stream that takes nothing. */
  isStalled = false;
  isOver = false;
  isReferenced = true;
  /** Calls of `push`. */
  pushes = 0;
  readonly #unsent: Buffer[] = [];
  readonly #ring: Buffer[][] = [[], [], [], []];
  readonly #sequence = [0, 0, 0, 0];
  #wanted = 0;
  #isScheduled = false;
  #goodbye: { byPeer: boolean; reason: number } | undefined;

  usesKey(): boolean {
    return false;
  }

  attach(receiver: LinkReceiver): void {
    this.receiver = receiver;
  }

  push(batch: Buffer, length: number): number {
    this.pushes += 1;
    if (this.failure !== 0) return -this.failure;
    if (this.isStalled) {
      this.#unsent.push(Buffer.from(batch.subarray(0, length)));
      return length;
    }
    let at = 0;
    while (at < length) {
      const size = batch.readUInt32LE(at);
      const lane = batch.readUInt8(at + RECORD.lane);
      const ring = this.peer?.ringOf(lane) ?? [];
      if (ring.reduce((sum, record) => sum + record.length, 0) + size > this.capacity) break;
      ring.push(Buffer.from(batch.subarray(at, at + size)));
      at += size;
    }
    this.peer?.schedule();
    return at;
  }

  waitForSpace(lane: Priority): boolean {
    if ((this.peer?.ringOf(lane).length ?? 0) === 0) return true;
    this.#wanted |= 1 << lane;
    return false;
  }

  flush(): Promise<void> {
    return Promise.resolve();
  }

  resume(): void {
    this.schedule();
  }

  noteDropped(lane: Priority, count: number): void {
    this.dropped[lane] = (this.dropped[lane] ?? 0) + count;
  }

  droppedByPeer(lane: Priority): number {
    return this.peer?.dropped[lane] ?? 0;
  }

  close(reason: number): void {
    this.#goodbye ??= { byPeer: false, reason };
    this.peer?.hearGoodbye(reason);
  }

  hearGoodbye(reason: number): void {
    this.#goodbye ??= { byPeer: true, reason };
    this.schedule();
  }

  destroy(): void {
    this.end({ code: 0, byPeer: false, context: '', reason: 0 });
    this.peer?.end({ code: 705, byPeer: true, context: 'fake cut', reason: 0 });
  }

  ref(): void {
    this.isReferenced = true;
  }

  unref(): void {
    this.isReferenced = false;
  }

  ringOf(lane: number): Buffer[] {
    return this.#ring[lane] ?? [];
  }

  /** Ends as a native session does with an error value. */
  end(outcome: Outcome): void {
    if (this.isOver) return;
    this.#deliverAll();
    this.isOver = true;
    this.receiver?.ended(outcome, { batches: this.#unsent.splice(0), lost: 0 }, undefined);
  }

  schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    queueMicrotask(() => {
      this.#isScheduled = false;
      this.receiveAll();
    });
  }

  receiveAll(): void {
    const { receiver } = this;
    if (receiver === undefined || this.isOver) return;
    this.#deliverAll();
    if (this.#goodbye === undefined || this.#ring.some((ring) => ring.length > 0)) return;
    const { byPeer, reason } = this.#goodbye;
    if (byPeer) {
      receiver.closing();
      this.peer?.end({ code: 0, byPeer: false, context: '', reason });
      this.end({ code: 0, byPeer, context: '', reason });
    }
  }

  #deliverAll(): void {
    const { receiver } = this;
    if (receiver === undefined) return;
    for (;;) {
      const mask = receiver.laneMask();
      const room = receiver.room(mask);
      const lane = [0, 1, 2, 3].find((index) => (mask & (1 << index)) !== 0 && this.ringOf(index).length > 0);
      if (room === 0 || lane === undefined) break;
      this.#deliver(lane, this.ringOf(lane).splice(0, Math.min(room, 16)));
      this.peer?.offerSpace();
    }
  }

  offerSpace(): void {
    const mask = this.#wanted;
    this.#wanted = 0;
    if (mask !== 0) this.receiver?.space(mask);
  }

  #deliver(lane: number, records: Buffer[]): void {
    const slab = Buffer.concat(records);
    const descriptors = new Uint32Array(DESCRIPTORS_FROM + records.length * DESCRIPTOR_WORDS);
    let offset = 0;
    for (const [index, record] of records.entries()) {
      descriptors.set(describe(slab, offset), DESCRIPTORS_FROM + index * DESCRIPTOR_WORDS);
      const sequence = (this.#sequence[lane] ?? 0) + 1;
      this.#sequence[lane] = sequence;
      slab.writeBigUInt64BE((BigInt(lane) << 62n) | BigInt(sequence), offset + 4 + 24);
      offset += record.length;
    }
    this.receiver?.deliver(slab, descriptors, records.length);
  }
}

/** Makes the descriptor of the record at an offset, as native code would of the frame that became of it. */
export function describe(buffer: Buffer, at: number): number[] {
  const meta = at + RECORD_HEADER;
  if ((buffer.readUInt8(at + RECORD.flags) & 1) === 1)
    buffer.writeBigInt64BE(BigInt(Date.now()) * 1_000_000n, meta + 8);
  const kinds = buffer.readUInt8(at + RECORD.type) | (buffer.readUInt8(meta) << 8) | (buffer.readUInt8(meta + 1) << 16);
  const payload = meta + buffer.readUInt32LE(at + RECORD.metaLength);
  const payloadLength = buffer.readUInt32LE(at + RECORD.payloadLength);
  return [
    at + 4,
    kinds,
    meta,
    buffer.readUInt32LE(meta + 2),
    payload,
    payloadLength,
    buffer.readUInt32BE(meta + 16),
    0,
  ];
}

export interface Pair {
  readonly client: ClientEndpoint;
  readonly server: ServerEndpoint;
  readonly clientLink: FakeLink;
  readonly serverLink: FakeLink;
}

const SESSION: SessionInfo = {
  serviceId: 'eni.min',
  serverId: 'eai',
  sessionId: '0123456789abcdef',
  keyId: '',
  protocol: 2,
  suite: 1,
  capabilities: ['ui:control'],
  ttlMs: 0,
  maxFrame: 1_048_576,
  binaryMeta: true,
  tailLength: TAIL_LENGTH,
  headerRoom: 0,
};

/** Joins two endpoints. Both have an inbox unless given a router. */
export function makePair(
  client: CommonOptions = {},
  server: CommonOptions = {},
  session: Partial<SessionInfo> = {},
  transport: PeerTransport = 'memory',
): Pair {
  const [clientLink, serverLink] = joinedLinks();
  clientLink.transport = transport;
  serverLink.transport = transport;
  const setup = { session: { ...SESSION, ...session }, address: 'memory:test', onClosed: () => {} };
  const clientEndpoint = ClientEndpoint.of({ ...setup, link: clientLink, settings: settingsOf(client) });
  const serverEndpoint = ServerEndpoint.of({ ...setup, link: serverLink, settings: settingsOf(server) });
  return { client: clientEndpoint, server: serverEndpoint, clientLink, serverLink };
}

/** A server that a client finds again, or does not. */
export class FakeServer {
  /** Its ends of the sessions so far, and both links of each. */
  readonly endpoints: ServerEndpoint[] = [];
  readonly links: { readonly client: FakeLink; readonly server: FakeLink }[] = [];
  readonly client: ClientEndpoint;
  /** How tries end: by a session, an error, or not at all while it is a promise that waits. */
  answer: () => void | Promise<void> = () => {};
  /** Tries so far. */
  tries = 0;
  /** What later sessions differ in. */
  session: Partial<SessionInfo> = {};
  /** Shown the client's link of a later session before it is used. */
  onLink: (link: FakeLink) => void = () => {};
  readonly #options: CommonOptions;
  #sessions = 0;

  constructor(reconnect: ReconnectPolicy, client: CommonOptions = {}, server: CommonOptions = {}) {
    this.#options = server;
    const settings = connectSettings({ serviceId: 'eni.min', key: new Uint8Array(32), ...client, reconnect });
    if (settings.reconnect === undefined) throw new Error('a client that reconnects');
    const dial = async (signal: AbortSignal, opened: (session: OpenSession) => void): Promise<void> => {
      this.tries += 1;
      await this.answer();
      signal.throwIfAborted();
      const { link, session } = this.#accept();
      this.onLink(link);
      opened({ link, session, address: 'memory:test' });
      link.schedule();
    };
    const { link, session } = this.#accept();
    const setup = { settings, reconnect: { settings: settings.reconnect, dial }, address: 'memory:test' };
    this.client = ClientEndpoint.of({ ...setup, link, session, onClosed: () => {} });
  }

  /** The server's end of the session there is now. */
  get endpoint(): ServerEndpoint {
    const endpoint = this.endpoints.at(-1);
    if (endpoint === undefined) throw new Error('no session');
    return endpoint;
  }

  /** The client's link of the session there is now. */
  get link(): FakeLink {
    const links = this.links.at(-1);
    if (links === undefined) throw new Error('no session');
    return links.client;
  }

  /** Ends the session as the death of the server does. */
  die(code = PEER_DOWN): void {
    this.links.at(-1)?.server.end({ code, byPeer: true, context: 'fake', reason: 0 });
    this.link.end({ code, byPeer: true, context: 'fake', reason: 0 });
  }

  /** Lets go of the sessions that are over. */
  forget(): void {
    this.endpoints.splice(0, this.endpoints.length - 1);
    this.links.splice(0, this.links.length - 1);
  }

  #accept(): { link: FakeLink; session: SessionInfo } {
    const [client, server] = joinedLinks();
    this.#sessions += 1;
    const sessionId = this.#sessions.toString(16).padStart(16, '0');
    const session = { ...SESSION, ...this.session, sessionId };
    const settings = settingsOf(this.#options);
    const endpoint = ServerEndpoint.of({
      link: server,
      session,
      settings,
      address: 'memory:test',
      onClosed: () => {},
    });
    this.endpoints.push(endpoint);
    this.links.push({ client, server });
    return { link: client, session };
  }
}

const PEER_DOWN = 704;

function joinedLinks(): [FakeLink, FakeLink] {
  const one = new FakeLink();
  const other = new FakeLink();
  one.peer = other;
  other.peer = one;
  return [one, other];
}

function settingsOf(options: CommonOptions): ClientSettings {
  return connectSettings({ serviceId: 'eni.min', key: new Uint8Array(32), ...options });
}
