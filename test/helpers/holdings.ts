/** What this process holds of the operating system, for tests that look for leaks. */
import { readFileSync, readdirSync } from 'node:fs';

export interface Holdings {
  readonly descriptors: number;
  /** Mappings of segments. */
  readonly segments: number;
  readonly threads: number;
}

export function holdings(): Holdings {
  const maps = readFileSync('/proc/self/maps', 'utf8');
  return {
    descriptors: readdirSync('/proc/self/fd').length,
    segments: maps.split('\n').filter((line) => line.includes('memfd:eipc')).length,
    threads: readdirSync('/proc/self/task').length,
  };
}

/** What there is more of than before. Less is no leak: something of earlier may have been on its way out. */
export function grownSince(before: Holdings): string[] {
  const now = holdings();
  const names = ['descriptors', 'segments', 'threads'] as const;
  return names.filter((name) => now[name] > before[name]).map((name) => `${name}: ${before[name]} → ${now[name]}`);
}
