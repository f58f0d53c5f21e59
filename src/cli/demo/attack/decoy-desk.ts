/**
 * What the demo's EAI does with the decoy's messages: counts, for each session, those that came as they were sent.
 */
import { listen, Router, type Handler, type Peer, type Server } from '../../../index.js';
import { DECOY_SERVICE } from '../job.js';
import type { VictimCount } from './tally.js';

class DecoyDesk {
  readonly #counts = new Map<string, { delivered: number; wrong: number }>();

  /** Numbers come in order, each once. */
  readonly handleIntent: Handler = (message, peer) => {
    const count = this.#countOf(peer);
    const { payload } = message;
    const number = typeof payload === 'object' && payload !== null && 'number' in payload ? payload.number : undefined;
    if (number !== count.delivered) count.wrong++;
    count.delivered++;
    return { number };
  };

  /** Returns what a session has delivered, and forgets it. */
  take(peer: Peer): VictimCount {
    const { sessionId } = peer;
    const count = this.#countOf(peer);
    this.#counts.delete(sessionId);
    return { sessionId, ...count };
  }

  #countOf({ sessionId }: Peer): { delivered: number; wrong: number } {
    let count = this.#counts.get(sessionId);
    if (count === undefined) {
      count = { delivered: 0, wrong: 0 };
      this.#counts.set(sessionId, count);
    }
    return count;
  }
}

/** Listens for the decoy, each address with a memory of its own, and reports every session that ends. */
export async function listenForDecoys(options: {
  addresses: readonly string[];
  key: Uint8Array;
  report: (count: VictimCount) => void;
  stop: AbortSignal;
}): Promise<readonly Server[]> {
  const { addresses, key, report, stop } = options;
  const services = { [DECOY_SERVICE]: { key, capabilities: [] } };
  const servers: Server[] = [];
  for (const address of addresses) {
    const desk = new DecoyDesk();
    const router = new Router();
    router.handle('intent', desk.handleIntent);
    const server = await listen(address, { router, services, signal: stop, handshakeTimeout: 2_000 });
    servers.push(server);
    void watch(server, desk, report);
  }
  return servers;
}

async function watch(server: Server, desk: DecoyDesk, report: (count: VictimCount) => void): Promise<void> {
  for await (const endpoint of server) void endpoint.closed.then(() => report(desk.take(endpoint.peer)));
}
