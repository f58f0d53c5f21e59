/**
 * What both node:net peers share: sockets, corking, blocks, back-pressure. A sealing says what a body is made of: the payload alone, or the
 * payload behind its MAC.
 *
 * @typedef {object} Sealing
 * @property {number} overhead - bytes in front of the payload
 * @property {(block: Buffer, at: number, payload: Uint8Array) => void} seal - writes the body
 * @property {(body: Buffer) => Uint8Array | null} open - the payload; null when it is forged
 * @property {string} description
 */
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';

import { PREFIX, Splitter } from './length-prefix.js';

/** Larger blocks were no faster. */
const BLOCK = 65_536;

/**
 * @param {import('../harness/contestants.js').AnswererContext} context
 * @param {Sealing} sealing
 */
export async function startNetAnswerer({ folder, receive, fail }, sealing) {
  const sockets = new Set();
  const server = createServer((socket) => {
    sockets.add(socket);
    attach(socket, sealing, receive, fail);
  });
  const address = join(folder, 'socket');
  server.listen(address);
  await once(server, 'listening');
  return {
    address,
    async close() {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}

/**
 * @param {import('../harness/contestants.js').DriverContext} context
 * @param {Sealing} sealing
 * @returns {Promise<import('../harness/measures/index.js').Line>}
 */
export async function startNetDriver({ address, measure, receive, fail }, sealing) {
  const socket = connect(address);
  await once(socket, 'connect');
  attach(socket, sealing, receive, fail);
  return {
    send: (payload) => void socket.write(makeFrame(payload, sealing)),
    pump: (source) => (measure === 'one-way-batch' ? pumpBlocks : pumpCorked)(socket, source, sealing),
    description: sealing.description,
    async close() {
      socket.destroy();
    },
  };
}

/**
 * @param {import('node:net').Socket} socket
 * @param {Sealing} sealing
 * @param {import('../harness/measures/index.js').Receive} receive
 * @param {import('../harness/measures/index.js').Fail} fail
 */
function attach(socket, sealing, receive, fail) {
  const splitter = new Splitter((body) => {
    const payload = sealing.open(body);
    if (payload === null) return fail('a message carried a wrong MAC');
    const reply = receive(payload);
    if (reply !== undefined) socket.write(makeFrame(reply, sealing));
  });
  socket.on('data', (chunk) => splitter.push(chunk));
  // The other side goes first when a point is over; a message that is missing is found by the measure.
  socket.on('error', () => socket.destroy());
}

/** Each message a frame and a write of its own; one system call for all that the stream takes before it asks to wait (16 KiB). */
async function pumpCorked(socket, source, sealing) {
  const payload = source.payload();
  for (let more = true; more;) {
    socket.cork();
    while (more && !socket.writableNeedDrain) {
      more = source.stamp(payload);
      socket.write(makeFrame(payload, sealing));
    }
    socket.uncork();
    if (socket.writableNeedDrain) await once(socket, 'drain');
  }
}

/** Frames written next to each other, a write for each block. */
async function pumpBlocks(socket, source, sealing) {
  const payload = source.payload();
  const length = frameLength(payload, sealing);
  const room = Math.max(1, Math.floor(BLOCK / length)) * length;
  for (let more = true; more;) {
    // A new block each time: the stream keeps the old one until the kernel has it.
    const block = Buffer.allocUnsafeSlow(room);
    let filled = 0;
    while (more && filled < room) {
      more = source.stamp(payload);
      filled = writeFrame(block, filled, payload, sealing);
    }
    if (!socket.write(block.subarray(0, filled))) await once(socket, 'drain');
  }
}

function frameLength(payload, sealing) {
  return PREFIX + sealing.overhead + payload.length;
}

function makeFrame(payload, sealing) {
  const frame = Buffer.allocUnsafe(frameLength(payload, sealing));
  writeFrame(frame, 0, payload, sealing);
  return frame;
}

function writeFrame(block, at, payload, sealing) {
  block.writeUInt32BE(sealing.overhead + payload.length, at);
  sealing.seal(block, at + PREFIX, payload);
  return at + frameLength(payload, sealing);
}
