/**
 * Ciphersuites: their names and numbers, and which are used at an address (docs/wire.md, "Rules").
 */
import { inspect } from 'node:util';

import type { Address } from './transport/address.js';

/** Ciphersuites of EIPC/2. */
export type Suite = 'hmac-sha256' | 'chacha20-poly1305' | 'aes-256-gcm';

const SUITE_NUMBERS: Readonly<Record<Suite, number>> = { 'hmac-sha256': 1, 'chacha20-poly1305': 2, 'aes-256-gcm': 3 };

/** Where nobody but this machine's root can listen in, authentication is enough and costs least. */
const LOCAL_ORDER: readonly Suite[] = ['hmac-sha256', 'aes-256-gcm', 'chacha20-poly1305'];
/** What crosses a network is encrypted. */
const NETWORK_ORDER: readonly Suite[] = ['aes-256-gcm', 'chacha20-poly1305'];
/** Encrypted still, where both ends can. */
const PLAINTEXT_ORDER: readonly Suite[] = [...NETWORK_ORDER, 'hmac-sha256'];

/** Returns the name of a suite's number. */
export function suiteName(number: number): Suite {
  for (const [name, value] of Object.entries(SUITE_NUMBERS)) if (value === number) return name as Suite;
  throw new RangeError(`no suite has the number ${number}`);
}

/**
 * Returns the numbers of the suites to use at an address, in order of preference.
 *
 * @param suites - the user's choice; absent: the order for this address
 * @param dangerousPlaintext - whether messages may cross a network in clear text
 * @throws TypeError or RangeError for a choice that is none, or that this address cannot have
 */
export function suiteNumbers(
  suites: readonly Suite[] | undefined,
  address: Address,
  dangerousPlaintext: boolean,
): number[] {
  const allowed = allowedSuites(address, dangerousPlaintext);
  const chosen = suites ?? allowed;
  if (!Array.isArray(chosen)) throw new TypeError(`suites must be a list, not ${inspect(suites)}`);
  if (chosen.length === 0) throw new TypeError('suites must be a list of at least one suite');
  return chosen.map((suite: Suite) => {
    if (!Object.hasOwn(SUITE_NUMBERS, suite))
      throw new RangeError(`no suite ${inspect(suite)}; the suites are ${Object.keys(SUITE_NUMBERS).join(', ')}`);
    if (!allowed.includes(suite))
      throw new RangeError(
        `${address.text}: the suite '${suite}' does not encrypt, and this address is on a network; use ${allowed.join(', ')}, or write dangerousPlaintext: true to let anybody on the way read every message`,
      );
    return SUITE_NUMBERS[suite];
  });
}

/** The suites an address may have, best first. */
function allowedSuites(address: Address, dangerousPlaintext: boolean): readonly Suite[] {
  if (address.transport !== 'tcp' || address.isLoopback) return LOCAL_ORDER;
  return dangerousPlaintext ? PLAINTEXT_ORDER : NETWORK_ORDER;
}
