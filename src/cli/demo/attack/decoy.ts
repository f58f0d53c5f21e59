/**
 * The demo's decoy: an honest ENI with a service id and a key of its own, whose sessions go through the attacker's proxies
 * and may die of it. It makes one short session after the other and reports what each of them delivered here.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { connect, type ClientEndpoint } from '../../../index.js';
import { DECOY_MESSAGES, DECOY_SERVICE, type DecoyJob } from '../job.js';
import type { DecoyReport } from '../reports.js';

/** Between two sessions: one key may begin 64 handshakes a second. */
const SESSION_INTERVAL = 25;
/** For a handshake, and for a reply. An attacked session may have to wait for it. */
const PATIENCE = 1_000;

/** Runs until `stop` aborts. */
export async function runDecoy(options: {
  job: DecoyJob;
  key: Uint8Array;
  report: (report: DecoyReport) => void;
  stop: AbortSignal;
}): Promise<void> {
  const { job, key, report, stop } = options;
  report({ kind: 'started' });
  for (let number = 0; !stop.aborted; number++) {
    const address = job.addresses[number % job.addresses.length] ?? '';
    const server = await openSession(address, key, stop);
    if (server !== null) report({ kind: 'victim', sessionId: server.peer.sessionId, ...(await runSession(server)) });
    await sleep(SESSION_INTERVAL, undefined, { signal: stop }).catch(() => undefined);
  }
  report({ kind: 'done' });
}

/** A session, or null where the attack has prevented it: that is what the decoy is for. */
async function openSession(address: string, key: Uint8Array, stop: AbortSignal): Promise<ClientEndpoint | null> {
  try {
    return await connect(address, { serviceId: DECOY_SERVICE, key, handshakeTimeout: PATIENCE, signal: stop });
  } catch {
    return null;
  }
}

async function runSession(server: ClientEndpoint): Promise<{ delivered: number; wrong: number }> {
  const numbers = Array.from({ length: DECOY_MESSAGES }, (_, number) => number);
  const ask = (number: number) => server.request({ type: 'intent', payload: { number } }, { timeout: PATIENCE });
  const replies = await Promise.allSettled(numbers.map(ask));
  let wrong = 0;
  for (const [number, reply] of replies.entries()) {
    if (reply.status === 'rejected') continue;
    const payload: unknown = reply.value.payload;
    const isMine = typeof payload === 'object' && payload !== null && 'number' in payload && payload.number === number;
    if (!isMine) wrong++;
  }
  await server.close({ timeout: PATIENCE });
  const { received, lateReplies, waiting } = server.stats();
  // Nobody sends this end anything but its replies.
  return { delivered: received.reduce((sum, count) => sum + count, 0), wrong: wrong + lateReplies + waiting };
}
