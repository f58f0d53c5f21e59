/**
 * Options of `connect`, `listen` and single calls: their types, their defaults, and the checks that refuse a wrong one at once, with its
 * value and what would be right. Nothing is ignored: an option that is not known is an error too.
 */
import { inspect } from 'node:util';

import type { Codec } from './codec.js';
import { jsonCodec } from './codec.js';
import type { EipcError } from './errors.js';
import type { Key } from './key.js';
import { nativeKey } from './key.js';
import type { Priority } from './message.js';
import type { NativeService } from './native.js';
import { Router } from './router.js';
import type { Suite } from './suites.js';

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
  readonly protocol?: 2;
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
  /** Milliseconds for the whole handshake. Default 10 000. */
  readonly handshakeTimeout?: number;
  readonly heartbeat?: false;
  readonly logger?: (record: LogRecord) => void;
  /** Gives up connecting; closes a server. */
  readonly signal?: AbortSignal;
}

/** Options of `connect`. */
export interface ConnectOptions extends CommonOptions {
  /** Who this is: 1 to 64 characters out of a-z 0-9 . _ - */
  readonly serviceId: string;
  readonly key: Key | Uint8Array;
  /** Who the server must be. When absent, the first one met under this address and key is remembered for the life of the process. */
  readonly serverId?: string;
  readonly reconnect?: false;
  /** Do without X25519: cheaper, but whoever obtains the key later reads what was recorded. The server must allow it. Default false. */
  readonly pskOnly?: boolean;
}

/** What a server knows of one service. */
export interface ServiceOptions {
  /** Its key, or several while keys are being changed. */
  readonly key: Key | Uint8Array | readonly (Key | Uint8Array)[];
  readonly capabilities: readonly string[];
  readonly protocols?: readonly 2[];
}

/** Options of `listen`. */
export interface ListenOptions extends CommonOptions {
  /** Who may connect, by service id. */
  readonly services: Readonly<Record<string, ServiceOptions>>;
  /** Who this server is. Default `eipc`. */
  readonly serverId?: string;
  /** Authenticated connections at most, 1 … 65 536. Default 64. */
  readonly maxConnections?: number;
  /** Connections in their handshake at most, 1 … 65 536, and half as many from one source on a network; beyond, the oldest is cut and counted. Default 64. */
  readonly maxUnauthenticated?: number;
  /** Accept clients that do without X25519, such as small devices. Default false. */
  readonly allowPskOnly?: boolean;
  /** Milliseconds a session may last; absent: as long as it is used. */
  readonly sessionTtl?: number;
}

/** How one lane behaves, with every default filled in. */
export interface LaneSettings {
  readonly capacity: number;
  readonly onFull: OnFull;
}

/** Options of an endpoint, checked and complete. */
export interface Settings {
  readonly router: Router | null;
  readonly codec: Codec;
  readonly lanes: readonly LaneSettings[];
  readonly inboxLimit: number;
  readonly concurrency: number;
  readonly wait: WaitStrategy;
  readonly sendTimeout: number;
  readonly requestTimeout: number;
  readonly handshakeTimeout: number;
  readonly dangerousPlaintext: boolean;
  readonly logger: ((record: LogRecord) => void) | undefined;
  readonly signal: AbortSignal | undefined;
}

/** Milliseconds that `close` takes at most unless told otherwise. */
export const CLOSE_TIMEOUT = 5_000;

/** The longest time-out a timer of Node can wait. */
const MAX_DURATION = 2_147_483_647;
const DEFAULT_CAPACITIES = [262_144, 262_144, 1_048_576, 4_194_304] as const;
const SERVICE_ID = /^[a-z0-9._-]{1,64}$/;

const COMMON_NAMES = [
  'router',
  'codec',
  'suites',
  'dangerousPlaintext',
  'protocol',
  'lanes',
  'inbox',
  'concurrency',
  'wait',
  'sendTimeout',
  'requestTimeout',
  'handshakeTimeout',
  'heartbeat',
  'logger',
  'signal',
];
const CONNECT_NAMES = [...COMMON_NAMES, 'serviceId', 'key', 'serverId', 'reconnect', 'pskOnly'];
const LISTEN_NAMES = [
  ...COMMON_NAMES,
  'services',
  'serverId',
  'maxConnections',
  'maxUnauthenticated',
  'allowPskOnly',
  'sessionTtl',
];
/** Options that the design has and this build has not: refused, since ignoring one could leave somebody unprotected. */
const LATER_NAMES = new Set(['policy', 'audit', 'tls', 'auth', 'access', 'schema']);

/** Checks the options of `connect`. */
export function connectSettings(options: ConnectOptions): ClientSettings {
  checkNames(options, CONNECT_NAMES, 'connect');
  checkServiceId(options.serviceId, 'serviceId');
  if (options.serverId !== undefined) checkServiceId(options.serverId, 'serverId');
  if (options.reconnect !== undefined && options.reconnect !== false) throw later('reconnect', options.reconnect);
  return { ...commonSettings(options, options.router ?? null), pskOnly: flag('pskOnly', options.pskOnly) };
}

/** What `connect` needs beside the settings of its endpoint. */
export interface ClientSettings extends Settings {
  readonly pskOnly: boolean;
}

/** What `listen` needs beside the settings of its endpoints. */
export interface ServerSettings extends Settings {
  readonly serverId: string;
  readonly services: NativeService[];
  readonly maxConnections: number;
  readonly maxUnauthenticated: number;
  readonly allowPskOnly: boolean;
  readonly sessionTtl: number;
}

/** Checks the options of `listen`. */
export function listenSettings(options: ListenOptions): ServerSettings {
  checkNames(options, LISTEN_NAMES, 'listen');
  const serverId = options.serverId ?? 'eipc';
  checkServiceId(serverId, 'serverId');
  return {
    ...commonSettings(options, options.router === undefined ? new Router() : options.router),
    serverId,
    services: nativeServices(options.services, serverId),
    maxConnections: integer('maxConnections', options.maxConnections ?? 64, 1, 65_536),
    maxUnauthenticated: integer('maxUnauthenticated', options.maxUnauthenticated ?? 64, 1, 65_536),
    allowPskOnly: flag('allowPskOnly', options.allowPskOnly),
    sessionTtl: options.sessionTtl === undefined ? 0 : duration('sessionTtl', options.sessionTtl),
  };
}

/** Checks the options of a call that waits, and returns how long it may. */
export function waitTimeout(options: WaitOptions | undefined, fallback: number): number {
  if (options === undefined) return fallback;
  if (typeof options !== 'object' || options === null)
    throw new TypeError(`options must be an object, not ${inspect(options)}`);
  if (options.signal !== undefined && !(options.signal instanceof AbortSignal))
    throw new TypeError(`signal must be an AbortSignal, not ${inspect(options.signal)}`);
  return options.timeout === undefined ? fallback : duration('timeout', options.timeout);
}

/** Checks a whole number. */
export function integer(name: string, value: number, least: number, most: number): number {
  if (typeof value !== 'number') throw new TypeError(`${name} must be a number, not ${inspect(value)}`);
  if (!Number.isInteger(value) || value < least || value > most)
    throw new RangeError(`${name} is ${value}; it must be a whole number from ${least} to ${most}`);
  return value;
}

/** Checks milliseconds. `Infinity` is refused: every wait has a deadline. */
function duration(name: string, value: number): number {
  if (typeof value !== 'number') throw new TypeError(`${name} must be a number of milliseconds, not ${inspect(value)}`);
  if (!(value > 0 && value <= MAX_DURATION))
    throw new RangeError(
      `${name} is ${value}; it must be from above 0 to ${MAX_DURATION} milliseconds (every wait has an end)`,
    );
  return value;
}

/** Refuses names that are not options. */
function checkNames(options: object, names: readonly string[], where: string): void {
  if (typeof options !== 'object' || options === null)
    throw new TypeError(`${where} needs an options object, not ${inspect(options)}`);
  for (const [name, value] of Object.entries(options)) {
    if (names.includes(name) || value === undefined) continue;
    if (LATER_NAMES.has(name)) throw later(name, value);
    throw new TypeError(`${where} has no option '${name}'; its options are ${names.join(', ')}`);
  }
}

function commonSettings(options: CommonOptions, router: Router | null): Settings {
  if (router !== null && !(router instanceof Router))
    throw new TypeError(`router must be a Router or null, not ${inspect(router)}`);
  if (options.protocol !== undefined && options.protocol !== 2) throw later('protocol', options.protocol);
  if (options.heartbeat !== undefined && options.heartbeat !== false) throw later('heartbeat', options.heartbeat);
  if (options.logger !== undefined && typeof options.logger !== 'function')
    throw new TypeError(`logger must be a function, not ${inspect(options.logger)}`);
  if (options.signal !== undefined && !(options.signal instanceof AbortSignal))
    throw new TypeError(`signal must be an AbortSignal, not ${inspect(options.signal)}`);
  if (options.inbox !== undefined) checkNames(options.inbox, ['limit'], 'inbox');
  return {
    router,
    codec: checkCodec(options.codec ?? jsonCodec),
    lanes: laneSettings(options.lanes ?? {}),
    inboxLimit: integer('inbox.limit', options.inbox?.limit ?? 1_024, 1, 65_536),
    concurrency: integer('concurrency', options.concurrency ?? 64, 1, 4_096),
    wait: oneOf('wait', options.wait ?? 'adaptive', ['adaptive', 'park', 'poll']),
    sendTimeout: duration('sendTimeout', options.sendTimeout ?? 5_000),
    requestTimeout: duration('requestTimeout', options.requestTimeout ?? 5_000),
    handshakeTimeout: duration('handshakeTimeout', options.handshakeTimeout ?? 10_000),
    dangerousPlaintext: flag('dangerousPlaintext', options.dangerousPlaintext),
    logger: options.logger,
    signal: options.signal,
  };
}

function laneSettings(lanes: Partial<Record<Priority, LaneOptions>>): LaneSettings[] {
  checkNames(lanes, ['0', '1', '2', '3'], 'lanes');
  return DEFAULT_CAPACITIES.map((capacity, index) => {
    const lane = lanes[index as Priority] ?? {};
    checkNames(lane, ['capacity', 'onFull'], `lanes[${index}]`);
    return {
      capacity: integer(`lanes[${index}].capacity`, lane.capacity ?? capacity, 65_536, 2 ** 28),
      onFull: oneOf(`lanes[${index}].onFull`, lane.onFull ?? 'block', ['block', 'fail', 'drop-newest']),
    };
  });
}

function nativeServices(services: Readonly<Record<string, ServiceOptions>>, serverId: string): NativeService[] {
  if (typeof services !== 'object' || services === null)
    throw new TypeError(`services must be an object of service id → { key, capabilities }, not ${inspect(services)}`);
  const owners = new Map<string, string>();
  return Object.entries(services).map(([id, service]) => {
    checkServiceId(id, 'a service id');
    if (id === serverId)
      throw new RangeError(
        `the service id '${id}' is the serverId too; the two ends of a connection need different ids`,
      );
    checkNames(service, ['key', 'capabilities', 'protocols'], `services['${id}']`);
    if (service.protocols !== undefined && service.protocols.some((protocol) => protocol !== 2))
      throw later('protocols', service.protocols);
    if (!Array.isArray(service.capabilities))
      throw new TypeError(`services['${id}'].capabilities must be a list, not ${inspect(service.capabilities)}`);
    const keys = (isKeyList(service.key) ? service.key : [service.key]).map(nativeKey);
    if (keys.length === 0)
      throw new RangeError(`services['${id}'].key is an empty list; the service needs at least one key`);
    for (const key of keys) {
      const owner = owners.get(key.id);
      if (owner !== undefined && owner !== id)
        throw new RangeError(
          `the services '${owner}' and '${id}' have the same key, so neither could be told from the other; give each its own`,
        );
      owners.set(key.id, id);
    }
    return {
      id,
      keys,
      capabilities: service.capabilities.map((capability: unknown) => checkCapability(capability, id)),
    };
  });
}

function isKeyList(key: ServiceOptions['key']): key is readonly (Key | Uint8Array)[] {
  return Array.isArray(key);
}

function checkCapability(capability: unknown, id: string): string {
  if (typeof capability === 'string' && /^[\x21-\x7e]{1,255}$/.test(capability)) return capability;
  throw new RangeError(
    `services['${id}'] has the capability ${inspect(capability)}; a capability is 1 to 255 printable ASCII characters without blanks`,
  );
}

function checkServiceId(id: string, name: string): void {
  if (typeof id !== 'string') throw new TypeError(`${name} must be a string, not ${inspect(id)}`);
  if (!SERVICE_ID.test(id))
    throw new RangeError(`${name} is ${inspect(id)}; it must be 1 to 64 characters out of a-z 0-9 . _ -`);
}

function checkCodec(codec: Codec): Codec {
  if (
    typeof codec.marshal === 'function' &&
    typeof codec.unmarshal === 'function' &&
    (codec.format === 'json' || codec.format === 'msgpack')
  )
    return codec;
  throw new TypeError("codec must be { format: 'json' | 'msgpack', marshal, unmarshal }, such as msgpackCodec");
}

/** Checks a choice that is off unless it was made. */
function flag(name: string, value: boolean | undefined): boolean {
  if (value !== undefined && typeof value !== 'boolean')
    throw new TypeError(`${name} must be true or false, not ${inspect(value)}`);
  return value ?? false;
}

function oneOf<T extends string>(name: string, value: T, values: readonly T[]): T {
  if (values.includes(value)) return value;
  throw new RangeError(`${name} is ${inspect(value)}; it must be one of ${values.join(', ')}`);
}

function later(name: string, value: unknown): RangeError {
  return new RangeError(
    `the option ${name}: ${inspect(value, { depth: 0 })} is not available yet in this build; leave it out`,
  );
}
