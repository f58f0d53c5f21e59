/** What the tests of reconnecting share: a server that can be away, and what has arrived at it. */
import { expect } from 'vitest';

import type { ReconnectPolicy } from '../../src/index.js';
import type { FakeServer } from './fake-link.js';

/** Tries at once, without disorder. */
export const QUICK: ReconnectPolicy = { initialDelay: 1, jitter: 0 };

/** A server that cannot be reached until `back` is called. */
export function away(server: FakeServer): { back: () => void } {
  const gate: { open?: () => void } = {};
  const opened = new Promise<void>((resolve) => (gate.open = resolve));
  server.answer = () => opened;
  return {
    back: () => {
      server.answer = () => {};
      gate.open?.();
    },
  };
}

export async function reconnected({ client, endpoints }: FakeServer, sessions = 2): Promise<void> {
  await expect.poll(() => [client.state, endpoints.length], { interval: 1 }).toEqual(['open', sessions]);
}

/** Payloads that have arrived at the server's end of the newest session. */
export async function arrived({ endpoint }: FakeServer, count: number): Promise<unknown[]> {
  const payloads: unknown[] = [];
  while (payloads.length < count) payloads.push((await endpoint.receive({ timeout: 5_000 })).payload);
  return payloads;
}
