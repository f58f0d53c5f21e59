/**
 * Options once they are checked: complete, with every default filled in. Nothing is ignored: an option that is not known is an error too.
 */
import { inspect } from 'node:util';

import { accessSettings } from './access-settings.js';
import type { AccessSettings } from './access-settings.js';
import { checkNames, checkServiceId, duration, flag, integer, number, oneOf } from './check.js';
import type { Codec } from './codec.js';
import { jsonCodec } from './codec.js';
import type { V1Limits } from './limits.js';
import type { Priority } from './message.js';
import type { NativeService, NativeV1Rules, NativeV1Server } from './native.js';
import type {
  ClientMacOptions,
  CommonOptions,
  ConnectOptions,
  HeartbeatPolicy,
  LaneOptions,
  ListenOptions,
  LogRecord,
  OnFull,
  ReconnectPolicy,
  ServerMacOptions,
  WaitOptions,
  WaitStrategy,
} from './options.js';
import { policySettings } from './policy-settings.js';
import type { PolicySettings } from './policy-settings.js';
import type { Grants } from './rights.js';
import { Router } from './router.js';
import { nativeServices } from './services.js';
import type { LiveService } from './services.js';
import { checkProtocolOptions, V1_TTL, v1Limits, v1Rules, warnShortKey } from './v1-settings.js';

/** How one lane behaves, with every default filled in. */
export interface LaneSettings {
  readonly capacity: number;
  readonly onFull: OnFull;
}

/** When to connect again, with every default filled in. */
export type ReconnectSettings = Required<ReconnectPolicy>;

/** When to look for a peer, with every default filled in. */
export type HeartbeatSettings = Required<HeartbeatPolicy>;

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
  /** Used in v1 only. */
  readonly v1Limits: V1Limits;
  /** Absent: as the transport needs it. */
  readonly heartbeat: HeartbeatSettings | false | undefined;
  readonly logger: ((record: LogRecord) => void) | undefined;
  readonly signal: AbortSignal | undefined;
}

/** Milliseconds that `close` takes at most unless told otherwise. */
export const CLOSE_TIMEOUT = 5_000;

/** What a transport over which a peer can vanish gets. The original's figures. */
export const DEFAULT_HEARTBEAT: HeartbeatSettings = { interval: 5_000, timeout: 15_000 };

/** The original's figures, and a little disorder. */
const DEFAULT_RECONNECT: ReconnectSettings = {
  maxAttempts: 10,
  initialDelay: 100,
  multiplier: 2,
  maxDelay: 30_000,
  jitter: 0.2,
};
/** Enough to let a thousand silent connections be: each that is cut comes again at once, which costs more than one that stays. */
const DEFAULT_MAX_UNAUTHENTICATED = 1_024;
const MAX_MULTIPLIER = 1_000;
const DEFAULT_CAPACITIES = [262_144, 262_144, 1_048_576, 4_194_304] as const;
const COMMON_NAMES = [
  'router',
  'codec',
  'suites',
  'dangerousPlaintext',
  'protocol',
  'auth',
  'v1',
  'lanes',
  'inbox',
  'concurrency',
  'wait',
  'sendTimeout',
  'requestTimeout',
  'handshakeTimeout',
  'heartbeat',
  'tls',
  'logger',
  'signal',
];
const CONNECT_NAMES = [...COMMON_NAMES, 'serviceId', 'key', 'serverId', 'reconnect', 'pskOnly'];
const LISTEN_NAMES = [
  ...COMMON_NAMES,
  'services',
  'serverId',
  'access',
  'maxConnections',
  'maxUnauthenticated',
  'allowPskOnly',
  'sessionTtl',
  'audit',
  'policy',
];
const MAC_NAMES = [
  'key',
  'sessionId',
  'serviceId',
  'serverId',
  'codec',
  'router',
  'v1',
  'lanes',
  'inbox',
  'concurrency',
  'sendTimeout',
  'requestTimeout',
  'logger',
];
/** What an endpoint made of a connection is told when it is given options of `connect`. */
const OPTIONS_OF_CONNECT = {
  reconnect: 'does not know where to connect to again; use connect(address, { protocol: 1, reconnect })',
  heartbeat:
    "cannot tell whether its peer answers heartbeats; use connect(address, { protocol: 1, auth: 'mac', heartbeat })",
} as const;
const MAX_SESSION_ID = 256;

/** What `connect` needs beside the settings of its endpoint. */
export interface ClientSettings extends Settings {
  readonly pskOnly: boolean;
  /** Absent: never. */
  readonly reconnect: ReconnectSettings | undefined;
  /** Present when v1 is spoken. */
  readonly v1: { readonly isMacOnly: boolean; readonly rules: NativeV1Rules } | undefined;
}

/** What an endpoint that is made of a connection needs beside its settings. */
export interface MacSettings extends Settings {
  readonly sessionId: string;
  readonly capabilities: string[];
  readonly rules: NativeV1Rules;
}

/** What `listen` needs beside the settings of its endpoints. */
export interface ServerSettings extends Settings, PolicySettings {
  readonly serverId: string;
  readonly services: NativeService[];
  readonly live: LiveService[];
  readonly grants: Grants;
  /** Present when some service may speak v1. */
  readonly v1: NativeV1Server | undefined;
  /** Absent: only this server's own user is let in. */
  readonly access: AccessSettings | undefined;
  readonly maxConnections: number;
  readonly maxUnauthenticated: number;
  readonly allowPskOnly: boolean;
  readonly sessionTtl: number;
}

/** Checks the options of `connect`. */
export function connectSettings(options: ConnectOptions): ClientSettings {
  checkNames(options, CONNECT_NAMES, 'connect');
  const protocol = checkProtocol(options);
  checkServiceId(options.serviceId, 'serviceId', protocol);
  if (options.serverId !== undefined) checkServiceId(options.serverId, 'serverId', protocol);
  checkProtocolOptions(options, { v1: protocol === 1, eipc2: protocol === 2 });
  const v1 = protocol === 1 ? { isMacOnly: isMacOnly(options), rules: v1Rules(options.v1) } : undefined;
  const reconnect = reconnectSettings(options.reconnect);
  if (reconnect !== undefined && v1?.isMacOnly === true)
    throw new RangeError(
      "reconnect needs a handshake, and auth: 'mac' has none: what was kept would be sent to whoever listens then; leave out auth, or make a new endpoint when `closed` resolves",
    );
  return {
    ...commonSettings(options, options.router ?? null, { serviceId: options.serviceId }),
    pskOnly: flag('pskOnly', options.pskOnly),
    reconnect,
    v1,
  };
}

/** Checks the options of `listen`. */
export function listenSettings(options: ListenOptions): ServerSettings {
  checkNames(options, LISTEN_NAMES, 'listen');
  const serverId = options.serverId ?? 'eipc';
  const services = nativeServices(options.services, serverId, checkProtocol(options));
  checkServiceId(serverId, 'serverId', services.eipc2.length > 0 ? 2 : 1);
  const hasV1 = services.v1.length > 0;
  checkProtocolOptions(options, { v1: hasV1, eipc2: services.eipc2.length > 0 || !hasV1 });
  const router = options.router === undefined ? new Router() : options.router;
  const settings = commonSettings(options, router, { serverId });
  for (const { id, keys } of services.v1) for (const key of keys) warnShortKey(key, id, settings.logger);
  const sessionTtl = options.sessionTtl === undefined ? undefined : duration('sessionTtl', options.sessionTtl);
  return {
    ...settings,
    serverId,
    services: services.eipc2,
    live: services.live,
    grants: services.grants,
    v1: hasV1
      ? {
          services: services.v1,
          macOnly: isMacOnly(options),
          ttlMs: sessionTtl ?? V1_TTL,
          rules: v1Rules(options.v1),
        }
      : undefined,
    access: accessSettings(options.access),
    maxConnections: integer('maxConnections', options.maxConnections ?? 64, 1, 65_536),
    maxUnauthenticated: integer(
      'maxUnauthenticated',
      options.maxUnauthenticated ?? DEFAULT_MAX_UNAUTHENTICATED,
      1,
      65_536,
    ),
    allowPskOnly: flag('allowPskOnly', options.allowPskOnly),
    sessionTtl: sessionTtl ?? 0,
    ...policySettings(options, router),
  };
}

/** Checks the options of `new ClientEndpoint` and `new ServerEndpoint`. */
export function macSettings(
  options: Partial<ClientMacOptions & ServerMacOptions>,
  role: 'client' | 'server',
): MacSettings {
  const names = role === 'server' ? [...MAC_NAMES, 'capabilities'] : MAC_NAMES;
  refuseOptionsOfConnect(options);
  checkNames(options, names, role === 'server' ? 'ServerEndpoint' : 'ClientEndpoint');
  if (options.serviceId !== undefined) checkServiceId(options.serviceId, 'serviceId', 1);
  if (options.serverId !== undefined) checkServiceId(options.serverId, 'serverId', 1);
  if (options.serviceId !== undefined && options.serviceId === options.serverId)
    throw new RangeError(
      `serviceId and serverId are both '${options.serviceId}'; the two ends of a connection need different ids`,
    );
  const { sessionId = '' } = options;
  if (
    typeof sessionId !== 'string' ||
    Buffer.byteLength(sessionId) > MAX_SESSION_ID ||
    /\0|\p{Surrogate}/u.test(sessionId)
  )
    throw new RangeError(
      `sessionId is ${inspect(sessionId)}; it must be text of up to ${MAX_SESSION_ID} bytes without NUL`,
    );
  const capabilities = 'capabilities' in options ? checkCapabilities(options.capabilities) : [];
  const { serviceId, serverId } = options;
  const ids = role === 'server' ? { serverId, sessionId } : { serviceId, sessionId };
  const common = commonSettings({ ...options, auth: 'mac' }, options.router ?? null, ids);
  return { ...common, sessionId, capabilities, rules: v1Rules(options.v1) };
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

/** Names the way to what an endpoint made of a connection cannot do. */
function refuseOptionsOfConnect(options: object): void {
  for (const [name, reason] of Object.entries(OPTIONS_OF_CONNECT)) {
    const value: unknown = (options as Record<string, unknown>)[name];
    if (value !== undefined && value !== false)
      throw new TypeError(`${name} is ${inspect(value)}, but an endpoint made of a connection ${reason}`);
  }
}

function checkCapabilities(capabilities: readonly string[] | undefined): string[] {
  const list: unknown = capabilities ?? [];
  if (Array.isArray(list) && list.every((one) => typeof one === 'string')) return [...list];
  throw new TypeError(`capabilities must be a list of strings, not ${inspect(capabilities)}`);
}

function checkProtocol({ protocol = 2 }: CommonOptions): 1 | 2 {
  if (protocol === 1 || protocol === 2) return protocol;
  throw new RangeError(`protocol is ${inspect(protocol)}; it must be 2 (EIPC/2) or 1 (the protocol of the original)`);
}

function isMacOnly({ auth = 'challenge' }: CommonOptions): boolean {
  return oneOf('auth', auth, ['challenge', 'mac']) === 'mac';
}

/** @param ids - what every frame of v1 from this end says, by the options it comes from */
function commonSettings(
  options: CommonOptions,
  router: Router | null,
  ids: Readonly<Record<string, string | undefined>>,
): Settings {
  if (router !== null && !(router instanceof Router))
    throw new TypeError(`router must be a Router or null, not ${inspect(router)}`);
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
    v1Limits: v1Limits(options, ids),
    heartbeat: heartbeatSettings(options.heartbeat),
    logger: options.logger,
    signal: options.signal,
  };
}

function reconnectSettings(policy: ReconnectPolicy | false | undefined): ReconnectSettings | undefined {
  if (policy === undefined || policy === false) return undefined;
  checkNames(policy, Object.keys(DEFAULT_RECONNECT), 'reconnect');
  const maxAttempts = policy.maxAttempts ?? DEFAULT_RECONNECT.maxAttempts;
  if (maxAttempts !== Infinity) integer('reconnect.maxAttempts', maxAttempts, 1, Number.MAX_SAFE_INTEGER);
  const initialDelay = duration('reconnect.initialDelay', policy.initialDelay ?? DEFAULT_RECONNECT.initialDelay);
  const maxDelay = duration('reconnect.maxDelay', policy.maxDelay ?? DEFAULT_RECONNECT.maxDelay);
  if (maxDelay < initialDelay)
    throw new RangeError(
      `reconnect.maxDelay is ${maxDelay}; it must not be below reconnect.initialDelay, which is ${initialDelay}`,
    );
  return {
    maxAttempts,
    initialDelay,
    multiplier: number('reconnect.multiplier', policy.multiplier ?? DEFAULT_RECONNECT.multiplier, 1, MAX_MULTIPLIER),
    maxDelay,
    jitter: number('reconnect.jitter', policy.jitter ?? DEFAULT_RECONNECT.jitter, 0, 1),
  };
}

function heartbeatSettings(policy: HeartbeatPolicy | false | undefined): HeartbeatSettings | false | undefined {
  if (policy === undefined || policy === false) return policy;
  checkNames(policy, Object.keys(DEFAULT_HEARTBEAT), 'heartbeat');
  return {
    interval: duration('heartbeat.interval', policy.interval ?? DEFAULT_HEARTBEAT.interval),
    timeout: duration('heartbeat.timeout', policy.timeout ?? DEFAULT_HEARTBEAT.timeout),
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

function checkCodec(codec: Codec): Codec {
  if (
    typeof codec.marshal === 'function' &&
    typeof codec.unmarshal === 'function' &&
    (codec.format === 'json' || codec.format === 'msgpack')
  )
    return codec;
  throw new TypeError("codec must be { format: 'json' | 'msgpack', marshal, unmarshal }, such as msgpackCodec");
}
