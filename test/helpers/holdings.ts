/** What a process holds of the operating system, for tests that look for leaks. */
import { readFileSync, readdirSync } from 'node:fs';

export interface Holdings {
  readonly descriptors: number;
  /** Mappings of segments. */
  readonly segments: number;
  readonly threads: number;
}

export function holdings(pid: number | 'self' = 'self'): Holdings {
  const maps = readFileSync(`/proc/${pid}/maps`, 'utf8');
  return {
    descriptors: readdirSync(`/proc/${pid}/fd`).length,
    segments: maps.split('\n').filter((line) => line.includes('memfd:eipc')).length,
    threads: readdirSync(`/proc/${pid}/task`).length,
  };
}

/** What there is more of than before. Less is no leak: something of earlier may have been on its way out. */
export function grownSince(before: Holdings, pid: number | 'self' = 'self'): string[] {
  const now = holdings(pid);
  const names = ['descriptors', 'segments', 'threads'] as const;
  return names.filter((name) => now[name] > before[name]).map((name) => `${name}: ${before[name]} → ${now[name]}`);
}
