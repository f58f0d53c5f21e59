/** Waiting for a message with the whole thread. */
import { isMainThread } from 'node:worker_threads';

import type { Inbox } from './inbox.js';
import type { Message } from './message.js';
import { noMessage } from './receivers.js';
import type { Link } from './transport/transport.js';

/**
 * Returns the next message of an inbox; what comes by the link meanwhile is delivered as ever.
 *
 * @param link - returns the link of the session, or throws when there is none now
 * @param timeout - milliseconds, or Infinity
 */
export function receiveSync(inbox: Inbox, link: () => Link, timeout: number): Message {
  if (isMainThread)
    throw new TypeError('receiveSync() blocks its thread, and this is the main one; call it in a Worker, or receive()');
  const until = performance.now() + timeout;
  for (;;) {
    const message = inbox.poll();
    if (message !== undefined) return message;
    const left = until - performance.now();
    if (left <= 0) throw noMessage();
    const here = link();
    if (here.block === undefined)
      throw new TypeError(`receiveSync() works over shm, and this connection is over ${here.transport}; use receive()`);
    here.block(left);
  }
}
