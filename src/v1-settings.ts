/**
 * What v1 adds to the settings: the rules for its receivers, and where it may be spoken at all.
 */
import { inspect } from 'node:util';

import { checkNames, oneOf } from './check.js';
import type { Key } from './key.js';
import { nativeKey } from './key.js';
import { V1_LIMITS } from './limits.js';
import type { V1Limits } from './limits.js';
import type { NativeKey, NativeV1Rules } from './native.js';
import type { CommonOptions, LogRecord, V1Options } from './options.js';
import type { Address } from './transport/address.js';

/** One hour, as the original. */
export const V1_TTL = 3_600_000;

/** Checks what a receiver of v1 demands. */
export function v1Rules(options: V1Options = {}): NativeV1Rules {
  checkNames(options, ['timestamp', 'source', 'sessionId', 'handshakeTypes', 'window', 'limits'], 'v1');
  const {
    timestamp = 'strict',
    source = 'peer',
    sessionId = 'always',
    handshakeTypes = 'typed',
    window = 128,
  } = options;
  if (!Number.isInteger(window) || window < 64 || window > 4_096 || window % 64 !== 0)
    throw new RangeError(`v1.window is ${inspect(window)}; it must be a multiple of 64 from 64 to 4096`);
  return {
    anyTimestamp: oneOf('v1.timestamp', timestamp, ['strict', 'any']) === 'any',
    anySource: oneOf('v1.source', source, ['peer', 'any']) === 'any',
    sessionIdWhenPresent: oneOf('v1.sessionId', sessionId, ['always', 'when-present']) === 'when-present',
    ackHandshake: oneOf('v1.handshakeTypes', handshakeTypes, ['typed', 'ack']) === 'ack',
    window,
  };
}

/**
 * Checks what a peer of v1 can read, and that it can read the ids and the session id that every frame of this end has.
 *
 * @param ids - by the names of their options
 */
export function v1Limits(
  { v1: { limits: name = 'frame' } = {}, auth }: CommonOptions,
  ids: Readonly<Record<string, string | undefined>>,
): V1Limits {
  const limits = V1_LIMITS[oneOf('v1.limits', name, ['frame', 'c-sdk'])];
  if (name === 'frame') return limits;
  if (auth !== 'mac')
    throw new RangeError(
      `v1.limits: '${name}' needs auth: 'mac': the token of a login has 64 bytes, and this peer reads ids of up to ${limits.text}`,
    );
  for (const [option, id = ''] of Object.entries(ids))
    if (Buffer.byteLength(id) > limits.text)
      throw new RangeError(
        `${option} has ${Buffer.byteLength(id)} bytes, and with v1.limits: '${name}' the peer reads ${limits.text}; use a shorter one`,
      );
  return limits;
}

/**
 * Refuses options of v1 where no v1 is spoken, and of EIPC/2 where nothing else is.
 *
 * @throws RangeError naming the option
 */
export function checkProtocolOptions(
  options: CommonOptions & { readonly pskOnly?: boolean },
  speaks: { v1: boolean; eipc2: boolean },
): void {
  const { auth, v1, suites, pskOnly } = options;
  if (!speaks.v1) {
    for (const [name, value] of Object.entries({ auth, v1 }))
      if (value !== undefined)
        throw new RangeError(
          `${name} is an option of v1, which is not spoken here; leave it out, or write protocol: 1`,
        );
  }
  if (!speaks.eipc2) {
    for (const [name, value] of Object.entries({ suites, pskOnly }))
      if (value !== undefined)
        throw new RangeError(`${name} is an option of EIPC/2, and v1 is spoken here; leave it out`);
  }
}

/**
 * Refuses addresses at which v1 is not spoken.
 *
 * @throws TypeError for shared memory; RangeError for a network, unless `dangerousPlaintext`
 */
export function checkV1Address(address: Address, dangerousPlaintext: boolean): void {
  if (address.transport === 'shm')
    throw new TypeError(`${address.text}: shared memory carries EIPC/2 only; use unix:, tcp:// or memory: for v1`);
  if (address.transport === 'tcp' && !address.isLoopback && !dangerousPlaintext)
    throw new RangeError(
      `${address.text}: v1 does not encrypt, and this address is on a network; write dangerousPlaintext: true to let anybody on the way read every message`,
    );
}

/** Returns the native key of a session of v1, and warns of a short one. */
export function v1Key(
  key: Key | Uint8Array,
  who: string,
  logger: ((record: LogRecord) => void) | undefined,
): NativeKey {
  const native = nativeKey(key, 1);
  warnShortKey(native, who, logger);
  return native;
}

/** Warns of a key that v1 takes and nobody should use. */
export function warnShortKey(key: NativeKey, who: string, logger: ((record: LogRecord) => void) | undefined): void {
  if (!key.isShort) return;
  logger?.({
    level: 'warn',
    event: 'short-key',
    text: `the v1 key of '${who}' has fewer than 32 bytes: whoever records one frame can try to guess it`,
    serviceId: who,
  });
}
