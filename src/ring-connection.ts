/**
 * A connection over two rings, for endpoints of v1 within one thread: `new ClientEndpoint(ringConnection(there, back), { key })`.
 */
import type { RingBuffer } from './ring-buffer.js';
import type { Connection } from './transport/connection.js';

/** As long as a timer can wait: it is the session that knows when to give up. */
const NO_DEADLINE = 2_147_483_647;

/**
 * Makes one end of a connection out of the ring it writes to and the ring it reads from; the other end has them the other way round.
 *
 * @param name - where the other end is, for people; default: the name of the ring it reads
 */
export function ringConnection(outgoing: RingBuffer, incoming: RingBuffer, name = incoming.name): Connection {
  return {
    remoteAddress: `ring:${name}`,
    send: (frame) => outgoing.write(frame, { timeout: NO_DEADLINE }),
    receive: () => incoming.read(),
    close: () => {
      outgoing.close();
      incoming.close();
    },
  };
}
