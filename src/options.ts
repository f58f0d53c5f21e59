/**
 * Options of `connect`, `listen` and single calls, as users write them, with their ranges and defaults. What they become once they are
 * checked is in `settings.ts`.
 */
import type { AuditSink } from './audit-sink.js';
import type { Codec } from './codec.js';
import type { EipcError } from './errors.js';
import type { Key } from './key.js';
import type { Keyring } from './keyring/keyring.js';
import type { Priority } from './message.js';
import type { Router } from './router.js';
import type { Suite } from './suites.js';
import type { TlsOptions } from './tls-options.js';

/** What `send` does when its lane is full: wait, fail at once, or drop the message and count it. */
export type OnFull = 'block' | 'fail' | 'drop-newest';

/** How this thread waits for messages: spin shortly after activity, sleep at once, or never sleep. */
export type WaitStrategy = 'adaptive' | 'park' | 'poll';

/** Options of a call that may wait. */
export interface WaitOptions {
  /** Milliseconds to wait at most, 1 … 2 147 483 647. */
  readonly timeout?: number;
  readonly signal?: AbortSignal;
}

/** Options of `request` and `ping`. */
export type RequestOptions = WaitOptions;

/** Options of `sendVectors`. */
export interface VectorOptions extends WaitOptions {
  /** Default 2. */
  readonly priority?: Priority;
}

/** Options of `close`. */
export interface CloseOptions {
  /** Also wait for sends that wait, running handlers and pending requests. Default false: what was accepted is sent, nothing else is waited for. */
  readonly drain?: boolean;
  /** Milliseconds after which the connection is cut. Default 5 000. */
  readonly timeout?: number;
}

/** Something worth a log line. Text of peers in it is escaped by whoever prints it. */
export interface LogRecord {
  readonly level: 'info' | 'warn' | 'error';
  /** A stable word, such as `connected` or `refused`. */
  readonly event: string;
  readonly text: string;
  readonly address?: string;
  readonly serviceId?: string;
  readonly error?: EipcError;
}

/** How one priority is sent. */
export interface LaneOptions {
  /** Bytes that may be queued here on stream transports, 65 536 … 2^28. The lanes of shm have their fixed sizes. */
  readonly capacity?: number;
  /** Default `block`. */
  readonly onFull?: OnFull;
}

/** How a lost connection is made again: after `initialDelay`, then after `multiplier` times as long, up to `maxDelay`. */
export interface ReconnectPolicy {
  /** Tries in a row before it is given up, from 1. Default 10; `Infinity` is allowed, since each try has its deadline (`handshakeTimeout`). */
  readonly maxAttempts?: number;
  /** Milliseconds before the first try. Default 100. */
  readonly initialDelay?: number;
  /** Default 2, from 1. */
  readonly multiplier?: number;
  /** Milliseconds before a try at most. Default 30 000. */
  readonly maxDelay?: number;
  /**
   * How much of each delay is left out at random, 0 … 1, so that the clients of a server that restarts do not come all at once. Default 0.2.
   * With more than 32 clients of one key: 1.
   */
  readonly jitter?: number;
}

/** How a peer that vanished without a word is found out. */
export interface HeartbeatPolicy {
  /** Milliseconds without a message after which the peer is asked for a sign of life. Default 5 000. */
  readonly interval?: number;
  /** Milliseconds without one after that before the peer counts as gone. Default 15 000. */
  readonly timeout?: number;
}

/** What is different for a peer of v1 that needs it (docs/wire.md, "Options for unusual peers"). Every default is the strict rule. */
export interface V1Options {
  /** `strict`: RFC 3339 with a date that exists, or 1 to 11 digits of Unix seconds. `any`: any string. */
  readonly timestamp?: 'strict' | 'any';
  /** Who a frame may be from. `peer`: the authenticated id. `any`: any id but the own, for a program that sends under several names. */
  readonly source?: 'peer' | 'any';
  /** The session id of a frame. `always`: the token. `when-present`: the token or nothing, for the C SDK. */
  readonly sessionId?: 'always' | 'when-present';
  /** The types of the handshake's frames. `typed`: A, H, R, R. `ack`: four times ack, as an older client has it; a server then takes both. */
  readonly handshakeTypes?: 'typed' | 'ack';
  /** Numbers of the replay window: a multiple of 64 up to 4 096. Default 128. */
  readonly window?: number;
  /**
   * What the peer can read. `frame`: all that a frame may have. `c-sdk`: payloads of up to 4 096 bytes, headers of up to 1 024, strings in them
   * of up to 63; what is larger is refused with a RangeError where it is sent, and `maxPayload()` says 4 096. Needs `auth: 'mac'`, because the
   * token of a login is longer.
   */
  readonly limits?: 'frame' | 'c-sdk';
}

/** Options that both ends take. */
export interface CommonOptions {
  /** Where messages go; `null` or absent (for `connect`): the inbox. */
  readonly router?: Router | null;
  /** How payloads without a format of their own are encoded. Default JSON. */
  readonly codec?: Codec;
  /** Suites in order of preference. Default: what this build has; at a `tcp` address that is not loopback, only those that encrypt. */
  readonly suites?: readonly Suite[];
  /** Lets messages cross a network authenticated but not encrypted: everybody on the way can read them. Default false. */
  readonly dangerousPlaintext?: boolean;
  /**
   * 2, the default, is EIPC/2; 1 is the protocol of the original, for peers that speak nothing else (docs/compatibility.md). Never
   * negotiated. At a server: the protocol of services that do not list theirs.
   */
  readonly protocol?: 1 | 2;
  /** How clients of v1 prove themselves: by the original's handshake (default), or by the key of their first frame alone. */
  readonly auth?: 'challenge' | 'mac';
  /** Relaxes rules of v1 for a peer that is known to need it. */
  readonly v1?: V1Options;
  readonly lanes?: Partial<Record<Priority, LaneOptions>>;
  /** Messages that may wait here, for each priority, before its lane is no longer drained: 1 … 65 536, default 1 024. */
  readonly inbox?: { readonly limit?: number };
  /** Handlers that run at once for one endpoint, 1 … 4 096; an eighth is kept for priority 0. Default 64. */
  readonly concurrency?: number;
  /** Default `adaptive`. `poll` is for shm in a process or Worker that does nothing else. */
  readonly wait?: WaitStrategy;
  /** Milliseconds that `send` waits for room. Default 5 000. */
  readonly sendTimeout?: number;
  /** Milliseconds that `request` waits for its reply. Default 5 000. */
  readonly requestTimeout?: number;
  /** Milliseconds for the whole handshake, that of TLS included. Default 10 000. */
  readonly handshakeTimeout?: number;
  /**
   * Default on for `tcp` and `tls` in EIPC/2, off where the kernel tells of every death, and off in v1: programs of the original answer no heartbeat.
   * Turned on in v1 it ends sessions with peers that neither answer nor send anything for `interval` + `timeout`.
   */
  readonly heartbeat?: HeartbeatPolicy | false;
  /** Certificates for `tls://` addresses: whom to believe, and at a server who this is (docs/tls.md). */
  readonly tls?: TlsOptions;
  readonly logger?: (record: LogRecord) => void;
  /** Gives up connecting for the first time; closes a server. */
  readonly signal?: AbortSignal;
}

/** Options of `connect`. */
export interface ConnectOptions extends CommonOptions {
  /** Who this is: 1 to 64 characters out of a-z 0-9 . _ - (in v1: 1 to 64 bytes without control characters). */
  readonly serviceId: string;
  readonly key: Key | Uint8Array;
  /** Who the server must be. When absent, the first one met under this address and key is remembered for the life of the process. */
  readonly serverId?: string;
  /** Makes the connection again when it is lost (docs/reconnect.md). The first one is tried for once. Not with `auth: 'mac'`. Default false. */
  readonly reconnect?: ReconnectPolicy | false;
  /** Do without X25519: cheaper, but whoever obtains the key later reads what was recorded. The server must allow it. Default false. */
  readonly pskOnly?: boolean;
}

/** What a server knows of one service. */
export interface ServiceOptions {
  /** Its key, or several while keys are being changed; or a keyring, whose changes this server follows while it runs. */
  readonly key: Key | Uint8Array | readonly (Key | Uint8Array)[] | Keyring;
  readonly capabilities: readonly string[];
  /** What this service may speak. Default: the server's `protocol`. */
  readonly protocols?: readonly (1 | 2)[];
  /** Take a key that was not made for one protocol in both, where this service has both: v1 exposes it to attacks that EIPC/2 is made against. */
  readonly dangerousSharedKey?: boolean;
}

/**
 * Users and groups of this machine that may connect, as numbers from 0 to 4 294 967 294, such as `id -u NAME` prints. A peer is let in when
 * its user is one of `uids` or its group one of `gids`; this server's own user and root too must be named. What counts is the effective user
 * and group of the process at the moment it connects; supplementary groups do not.
 */
export interface Access {
  readonly uids?: readonly number[];
  readonly gids?: readonly number[];
}

/** Options of `listen`. */
export interface ListenOptions extends CommonOptions {
  /** Who may connect, by service id. */
  readonly services: Readonly<Record<string, ServiceOptions>>;
  /** Who this server is. Default `eipc`. */
  readonly serverId?: string;
  /**
   * Lets other users of this machine connect to `unix:/path` and (on Linux) `shm:/path`; refused at other addresses. The kernel says who a
   * peer is, before anything of it is read; its key still has to say which service. The folder of the socket is made with mode 0711 if it is
   * missing, and must be closed to others' changes. Default: this server's own user alone.
   */
  readonly access?: Access;
  /** Authenticated connections at most, 1 … 65 536. Default 64. */
  readonly maxConnections?: number;
  /**
   * Connections in their handshake at most, 1 … 65 536, and half as many from one source (a host on a network, another user of this
   * machine); beyond, the oldest is cut and counted. Those whose hello was good stay: of each key there are at most 32. Over `tls` each
   * takes some 70 KiB once its handshake has begun. Default 1 024.
   */
  readonly maxUnauthenticated?: number;
  /** Accept clients that do without X25519, such as small devices. Default false. */
  readonly allowPskOnly?: boolean;
  /** Milliseconds a session may last; absent: as long as it is used, in v1 one hour. */
  readonly sessionTtl?: number;
  /**
   * Where is recorded who came and went, what was refused and why, and which requests a handler was started for (docs/audit.md). Default:
   * nowhere; the `logger` and the counters tell.
   */
  readonly audit?: AuditSink;
}

/** Options of an endpoint that is made of a connection: v1 without a handshake. */
export interface MacOptions extends Pick<
  CommonOptions,
  'router' | 'codec' | 'v1' | 'lanes' | 'inbox' | 'concurrency' | 'sendTimeout' | 'requestTimeout' | 'logger'
> {
  /** The key both ends have: at least 16 bytes, text too. */
  readonly key: Key | Uint8Array;
  /** What the frames of this end carry as session id; the peer's are not compared with anything. Default: nothing. */
  readonly sessionId?: string;
}

/** Options of `new ClientEndpoint`. */
export interface ClientMacOptions extends MacOptions {
  /** Who this is. Default: the source of the first message that is sent, and without one `eipc-client`. */
  readonly serviceId?: string;
  /** Who the server must be. Default: who its first frame says. */
  readonly serverId?: string;
}

/** Options of `new ServerEndpoint`. */
export interface ServerMacOptions extends MacOptions {
  /** Who this is. Default: the source of the first message that is sent, and without one `eipc-server`. */
  readonly serverId?: string;
  /** Who the client must be. Default: who its first frame says. */
  readonly serviceId?: string;
  /** What the client may do. Default: nothing. */
  readonly capabilities?: readonly string[];
}
