/**
 * zeromq.js over `ipc://`, no security: PAIR for echoes, PUSH/PULL for throughput with a second PUSH/PULL for the confirmation.
 *
 * High water marks are ZeroMQ's default of 1 000 messages on each side; higher ones were no faster.
 */
import { join } from 'node:path';

/** Above this ZeroMQ sends from the caller's memory instead of copying. */
const COPIED_UP_TO = 128;
const HIGH_WATER_MARK = 1_000;

/** @type {typeof import('zeromq')} */
let zeromq;

export async function load() {
  zeromq = await import('zeromq');
}

/** @type {import('../harness/contestants.js').Peer['startAnswerer']} */
export async function startAnswerer({ folder, measure, receive }) {
  const address = `ipc://${join(folder, 'socket')}`;
  const { incoming, outgoing } = socketsFor(measure);
  await incoming.bind(address);
  if (outgoing !== incoming) await outgoing.bind(backOf(address));
  void attach(incoming, outgoing, receive);
  return { address, close: () => closeAll(incoming, outgoing) };
}

/** @type {import('../harness/contestants.js').Peer['startDriver']} */
export async function startDriver({ address, measure, receive }) {
  const { incoming, outgoing } = socketsFor(measure);
  outgoing.connect(address);
  if (outgoing !== incoming) incoming.connect(backOf(address));
  void attach(incoming, outgoing, receive);
  return {
    send: (payload) => void outgoing.send(owned(payload)),
    async pump(source) {
      const payload = source.payload();
      for (let more = true; more;) {
        more = source.stamp(payload);
        await outgoing.send(owned(payload));
      }
    },
    description: `ZeroMQ ${zeromq.version}, high water mark ${HIGH_WATER_MARK}`,
    close: () => closeAll(incoming, outgoing),
  };
}

/** One socket for both directions, or two where ZeroMQ's pattern for throughput has one direction only. */
function socketsFor(measure) {
  const marks = { sendHighWaterMark: HIGH_WATER_MARK, receiveHighWaterMark: HIGH_WATER_MARK, linger: 0 };
  if (measure === 'one-way') {
    const { sendHighWaterMark, receiveHighWaterMark, linger } = marks;
    return {
      incoming: new zeromq.Pull({ receiveHighWaterMark, linger }),
      outgoing: new zeromq.Push({ sendHighWaterMark, linger }),
    };
  }
  const pair = new zeromq.Pair(marks);
  return { incoming: pair, outgoing: pair };
}

/** Receives until the socket is closed. */
async function attach(incoming, outgoing, receive) {
  for await (const [payload] of incoming) {
    const reply = receive(payload);
    if (reply !== undefined) await outgoing.send(owned(reply));
  }
}

function owned(payload) {
  return payload.length > COPIED_UP_TO ? Buffer.from(payload) : payload;
}

function backOf(address) {
  return `${address}-back`;
}

async function closeAll(...sockets) {
  for (const socket of new Set(sockets)) socket.close();
}
