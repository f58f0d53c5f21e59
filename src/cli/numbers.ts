/**
 * Numbers on the command line: decimal ones only, with the range in the message.
 */
import { InvalidArgumentError } from 'commander';

/** Reads a decimal number; NaN for anything else that `Number` would take (blanks, 0x10, Infinity). */
export function parseNumber(value: string): number {
  return /^\d+(?:\.\d+)?$/.test(value) ? Number(value) : Number.NaN;
}

/** Makes the reader of a whole number within a range. */
export function wholeNumber(least: number, most: number): (value: string) => number {
  return (value) => {
    const number = /^\d+$/.test(value) ? Number(value) : Number.NaN;
    if (number >= least && number <= most) return number;
    throw new InvalidArgumentError(`Give a whole number from ${least} to ${most}.`);
  };
}
