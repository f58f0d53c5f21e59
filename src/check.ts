/**
 * Checks of single values that users pass: each throws at once, with the value and what would be right, or returns it unchanged.
 */
import { inspect } from 'node:util';

import type { AuditSink } from './audit-sink.js';

/** The longest time-out a timer of Node can wait. */
const MAX_DURATION = 2_147_483_647;
const SERVICE_ID = /^[a-z0-9._-]{1,64}$/;
const CAPABILITY = /^[\x21-\x7e]{1,255}$/;
const NOT_IN_V1_ID = /[\u0000-\u001f\u007f]|\p{Surrogate}/u;

/** Checks a whole number. */
export function integer(name: string, value: number, least: number, most: number): number {
  if (typeof value !== 'number') throw new TypeError(`${name} must be a number, not ${inspect(value)}`);
  if (!Number.isInteger(value) || value < least || value > most)
    throw new RangeError(`${name} is ${value}; it must be a whole number from ${least} to ${most}`);
  return value;
}

/** Checks any number in a range. */
export function number(name: string, value: number, least: number, most: number): number {
  if (typeof value !== 'number') throw new TypeError(`${name} must be a number, not ${inspect(value)}`);
  if (!(value >= least && value <= most))
    throw new RangeError(`${name} is ${value}; it must be from ${least} to ${most}`);
  return value;
}

/** Checks milliseconds. `Infinity` is refused: every wait has a deadline. */
export function duration(name: string, value: number): number {
  if (typeof value !== 'number') throw new TypeError(`${name} must be a number of milliseconds, not ${inspect(value)}`);
  if (!(value > 0 && value <= MAX_DURATION))
    throw new RangeError(
      `${name} is ${value}; it must be from above 0 to ${MAX_DURATION} milliseconds (every wait has an end)`,
    );
  return value;
}

/** Refuses names that are not options. */
export function checkNames(options: object, names: readonly string[], where: string): void {
  if (typeof options !== 'object' || options === null)
    throw new TypeError(`${where} needs an options object, not ${inspect(options)}`);
  for (const [name, value] of Object.entries(options)) {
    if (names.includes(name) || value === undefined) continue;
    throw new TypeError(`${where} has no option '${name}'; its options are ${names.join(', ')}`);
  }
}

/** Checks an id of EIPC/2, or in v1 one that the original could have given. */
export function checkServiceId(id: string, name: string, protocol: 1 | 2 = 2): void {
  if (typeof id !== 'string') throw new TypeError(`${name} must be a string, not ${inspect(id)}`);
  if (protocol === 1) {
    const length = Buffer.byteLength(id);
    if (length < 1 || length > 64 || NOT_IN_V1_ID.test(id))
      throw new RangeError(`${name} is ${inspect(id)}; it must be 1 to 64 bytes without control characters`);
    return;
  }
  if (!SERVICE_ID.test(id))
    throw new RangeError(`${name} is ${inspect(id)}; it must be 1 to 64 characters out of a-z 0-9 . _ -`);
}

/** Checks a capability. What is granted can be claimed, and be told in either protocol. */
export function checkCapability(capability: unknown, where: string): string {
  if (typeof capability === 'string' && CAPABILITY.test(capability)) return capability;
  throw new RangeError(
    `${where} is ${inspect(capability)}; a capability is 1 to 255 printable ASCII characters without blanks`,
  );
}

/** Checks a choice that is off unless it was made. */
export function flag(name: string, value: boolean | undefined): boolean {
  if (value !== undefined && typeof value !== 'boolean')
    throw new TypeError(`${name} must be true or false, not ${inspect(value)}`);
  return value ?? false;
}

/** Checks where entries of the audit go. */
export function auditSink(sink: AuditSink | undefined): AuditSink | undefined {
  if (sink === undefined || typeof sink.log === 'function') return sink;
  throw new TypeError(
    `audit must be an AuditLogger or another object with log(entry), not ${inspect(sink, { depth: 0 })}`,
  );
}

export function oneOf<T extends string>(name: string, value: T, values: readonly T[]): T {
  if (values.includes(value)) return value;
  throw new RangeError(`${name} is ${inspect(value)}; it must be one of ${values.join(', ')}`);
}
