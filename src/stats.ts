/**
 * Counters of endpoints and servers, and the frozen copies of them that users get. Every drop, refusal and denial has a counter.
 */

/** A number for each priority. */
export type PerLane = readonly [number, number, number, number];

/** Counters of one endpoint since it was made. */
export interface EndpointStats {
  /** Messages accepted by the transport, by priority. */
  readonly sent: PerLane;
  /** Messages received and verified, by priority, replies and pings included. */
  readonly received: PerLane;
  /** Bytes of payload received. */
  readonly receivedBytes: number;
  /** Messages dropped here by `onFull: 'drop-newest'`, by priority. */
  readonly dropped: PerLane;
  /** Messages the peer says it dropped because its lane was full, by priority, in this session. */
  readonly droppedByPeer: PerLane;
  /** Messages that were accepted and provably never left: at a loss those of control and of requests, at the end all. */
  readonly undelivered: number;
  /** Sessions after the first. */
  readonly reconnects: number;
  /** Sends that had to wait for room. */
  readonly waitedForRoom: number;
  /** Sends that found no room in time. */
  readonly refusedForRoom: number;
  /** Messages refused because they were older than their max age. */
  readonly expired: number;
  /** Messages without a handler. */
  readonly unhandled: number;
  /** Messages whose sender lacks the capability. */
  readonly denied: number;
  /** Handlers that threw or rejected. */
  readonly failed: number;
  /** Replies that could not be sent, among them those to requests of a session that is over. */
  readonly repliesLost: number;
  /** Requests refused because their id was being served. */
  readonly duplicates: number;
  /** Replies that came when nobody waited any more. */
  readonly lateReplies: number;
  /** Messages that arrived after `close()` and had no handler started. */
  readonly discarded: number;
  /** Events that a slow reader of `events()` missed. */
  readonly eventsMissed: number;
  /** Requests that wait for a reply now. */
  readonly pendingRequests: number;
  /** Messages in the inbox, or waiting for a handler, now. */
  readonly waiting: number;
  /** Handlers running now. */
  readonly running: number;
}

/** Counters of a server since it listens. */
export interface ServerStats {
  /** Connections that were accepted by the operating system. */
  readonly accepted: number;
  /** Connections that authenticated. */
  readonly authenticated: number;
  /** Connections whose handshake failed. */
  readonly handshakeFailures: number;
  /** Connections closed at once because `maxConnections` was reached. */
  readonly refusedConnections: number;
  /** Connections that were cut in their handshake for a newer one because `maxUnauthenticated` was reached. */
  readonly refusedUnauthenticated: number;
  /** The same because their source had its half of `maxUnauthenticated`, or closed at once because it had sent too many wrong hellos. Only on networks and for other users (`access`). */
  readonly refusedSources: number;
  /** Connections closed at once because the kernel names a user who is not let in (`access`). */
  readonly refusedUsers: number;
  /** Entries that the option `audit` could not record. */
  readonly auditFailures: number;
  /** Connections open now. */
  readonly open: number;
  /** Connections in their handshake now. */
  readonly handshaking: number;
}

/** The counters that change while an endpoint works. Plain numbers: they are on the hot path. */
export class Counters {
  readonly sent: [number, number, number, number] = [0, 0, 0, 0];
  readonly received: [number, number, number, number] = [0, 0, 0, 0];
  readonly dropped: [number, number, number, number] = [0, 0, 0, 0];
  receivedBytes = 0;
  undelivered = 0;
  reconnects = 0;
  waitedForRoom = 0;
  refusedForRoom = 0;
  expired = 0;
  unhandled = 0;
  denied = 0;
  failed = 0;
  repliesLost = 0;
  duplicates = 0;
  lateReplies = 0;
  discarded = 0;
  eventsMissed = 0;

  /** Returns a frozen copy, with what is true only now added. */
  snapshot(now: Pick<EndpointStats, 'droppedByPeer' | 'pendingRequests' | 'waiting' | 'running'>): EndpointStats {
    const { sent, received, dropped, ...numbers } = this;
    return Object.freeze({
      ...numbers,
      ...now,
      sent: perLane(sent),
      received: perLane(received),
      dropped: perLane(dropped),
    });
  }
}

function perLane(numbers: readonly [number, number, number, number]): PerLane {
  return Object.freeze([...numbers] as const);
}
