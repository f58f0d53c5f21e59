/**
 * What an endpoint needs of a transport, and what a transport needs of an endpoint. An endpoint knows nothing else about the way its
 * messages go: `stream.ts` and `shm.ts` implement `Link`, tests implement it with a fake.
 */
import type { Priority } from '../message.js';
import type { NativeKey, Outcome, SessionInfo } from '../native.js';
import type { TransportName } from './address.js';
import type { TlsStatus } from './tls-channel.js';

/** How a peer is reached; `custom` is a connection of the user's own making. */
export type PeerTransport = TransportName | 'custom';

/** Who is at the other end of a local socket, as the kernel says. */
export interface Credentials {
  readonly uid: number;
  readonly gid: number;
  /** Absent where the process is invisible from here. */
  readonly pid?: number;
}

/** One connection that carries records out and messages in. */
export interface Link {
  readonly transport: PeerTransport;
  /** Absent on transports where the kernel knows no peer. */
  readonly credentials: Credentials | undefined;
  /** How TLS protects it; absent where it does not. */
  readonly tls?: TlsStatus | undefined;

  /** Whether its session is one under a key. */
  usesKey(key: NativeKey): boolean;
  /** Says who takes what comes from now on. Called once, before anything is delivered. */
  attach(receiver: LinkReceiver): void;
  /**
   * Takes records, in order, and copies them. Returns how many bytes it took, always whole records: less than `length` when the lane of the
   * next record is full; or, when nothing can be taken any more, −(error value).
   */
  push(batch: Buffer, length: number): number;
  /** After `push` refused a record of this lane: true when there is room by now; otherwise `LinkReceiver.space` will be called. */
  waitForSpace(lane: Priority): boolean;
  /** Resolves when everything taken has reached the ring or the kernel, or the connection has ended. */
  flush(): Promise<void>;
  /** The receiver takes messages again of which it had enough. */
  resume(): void;
  /**
   * Waits with the whole thread until something came, for so many milliseconds at the most, and delivers it. Absent where only the event loop
   * can bring anything.
   */
  block?(milliseconds: number): void;
  /** Tells the peer how many messages of a lane were dropped here. */
  noteDropped(lane: Priority, count: number): void;
  /** How many messages of a lane the peer says it dropped. */
  droppedByPeer(lane: Priority): number;
  /** Sends what was taken, then the goodbye; `LinkReceiver.ended` follows. Idempotent. */
  close(reason: number): void;
  /** Cuts the connection without a word; `LinkReceiver.ended` follows at once. Idempotent. */
  destroy(): void;
  ref(): void;
  unref(): void;
}

/** What a link had taken and provably never sent. */
export interface Unsent {
  /** Whole records as they were pushed, in the order of their lanes; the receiver of this owns them. */
  readonly batches: readonly Buffer[];
  /** Records of which nothing is left to send. */
  readonly lost: number;
}

export const NOTHING_UNSENT: Unsent = { batches: [], lost: 0 };

/** How a link speaks to its endpoint. */
export interface LinkReceiver {
  /** Lanes worth taking now, bit p for priority p. */
  laneMask(): number;
  /** How many messages can be taken now, whatever lanes of `mask` they are from. */
  room(mask: number): number;
  /** Takes the messages of one receive call (`native.ts` names the words). */
  deliver(slab: Buffer, descriptors: Uint32Array, count: number): void;
  /** Who the peer is came to light after the session had opened (v1 without a handshake). */
  identified(session: SessionInfo): void;
  /** Lanes that have room again. */
  space(mask: number): void;
  /** The peer said goodbye: nothing that is sent now would be read. */
  closing(): void;
  /** It is over and everything that arrived was delivered. Called once, and nothing is called after it. */
  ended(outcome: Outcome, unsent: Unsent, cause: unknown): void;
}

/** How a connection is watched until it is authenticated. Exactly one of `opened` and `failed` is called, once. */
export interface LinkObserver {
  /**
   * The peer's first message proved that it holds a key, and was none that somebody sends again. Not told of shared memory, whose handshake
   * is all native, and not of v1, where a recording would do.
   */
  recognised(link: Link): void;
  /** The session is open; who attaches now gets everything. */
  opened(link: Link, session: SessionInfo): void;
  /** It ended before it was open. */
  failed(outcome: Outcome, cause: unknown): void;
}

/** Reasons an authenticated close gives (docs/wire.md, "EIPC/2 data frames"). */
export const CLOSE_REASON = { normal: 0, time: 1, revoked: 2, shutdown: 3 } as const;
