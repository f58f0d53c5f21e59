/**
 * @grpc/grpc-js over a Unix socket, no security: a call for each message (unary), or one call with a stream each way (bidi).
 *
 * Messages are bytes: no protocol buffers are written or read, which makes it faster than what a user would have. Tracing (channelz) and
 * retries, which keep a copy of what was sent, are off; the flow-control window is large enough for back-pressure to come from the stream.
 */
import { once } from 'node:events';
import { join } from 'node:path';
import { promisify } from 'node:util';

/** Calls under way at once when throughput is measured; more were no faster. */
const CALLS = 64;
/** Milliseconds. */
const CONNECT_TIMEOUT = 10_000;
const OPTIONS = {
  'grpc.enable_channelz': 0,
  'grpc.enable_retries': 0,
  'grpc-node.flow_control_window': 4 << 20,
};
const NOTHING = Buffer.alloc(0);

/** @type {typeof import('@grpc/grpc-js')} */
let grpc;

export async function load() {
  grpc = (await import('@grpc/grpc-js')).default;
}

const BYTES = {
  requestSerialize: asItIs,
  requestDeserialize: asItIs,
  responseSerialize: asItIs,
  responseDeserialize: asItIs,
};
const UNARY = { path: '/bench.Bench/Unary', requestStream: false, responseStream: false, ...BYTES };
const BIDI = { path: '/bench.Bench/Bidi', requestStream: true, responseStream: true, ...BYTES };

/** @type {import('../harness/contestants.js').Peer['startAnswerer']} */
export async function startAnswerer({ folder, measure, receive, respond }) {
  const server = new grpc.Server(OPTIONS);
  server.addService(
    { unary: UNARY, bidi: BIDI },
    {
      unary(call, done) {
        const reply = measure === 'request' ? JSON.stringify(respond(call.request)) : receive(call.request);
        done(null, typeof reply === 'string' ? Buffer.from(reply) : (reply ?? NOTHING));
      },
      bidi(stream) {
        stream.on('data', (payload) => {
          const reply = receive(payload);
          if (reply !== undefined) stream.write(reply);
        });
        // The other side goes first when a point is over; a message that is missing is found by the measure.
        stream.on('error', () => undefined);
      },
    },
  );
  const address = `unix:${join(folder, 'socket')}`;
  await promisify((done) => server.bindAsync(address, grpc.ServerCredentials.createInsecure(), done))();
  return { address, close: async () => server.forceShutdown() };
}

/** @type {import('../harness/contestants.js').Peer['startDriver']} */
export async function startDriver(context) {
  const client = new grpc.Client(context.address, grpc.credentials.createInsecure(), OPTIONS);
  await promisify((done) => client.waitForReady(Date.now() + CONNECT_TIMEOUT, done))();
  return context.contestant.options.call === 'unary' ? driveUnary(client, context) : driveBidi(client, context);
}

function driveUnary(client, { receive, fail }) {
  // The library keeps what it is given until the call has begun: a copy lets the caller reuse its payload.
  function begin(payload, done) {
    client.makeUnaryRequest(UNARY.path, asItIs, asItIs, Buffer.from(payload), done);
  }
  const call = promisify(begin);
  function send(payload) {
    begin(payload, (error, reply) => {
      if (error !== null) return fail(error.message);
      const next = reply.length === 0 ? undefined : receive(reply);
      if (next !== undefined) send(next);
      return undefined;
    });
  }
  return {
    send,
    request: async (payload) => JSON.parse((await call(payload)).toString()),
    async pump(source) {
      const payload = source.payload();
      let isOver = false;
      async function pumpCalls() {
        while (!isOver) {
          isOver = !source.stamp(payload);
          const reply = await call(payload);
          if (reply.length > 0) receive(reply);
        }
      }
      await Promise.all(Array.from({ length: CALLS }, pumpCalls));
    },
    description: 'grpc-js, unary calls of bytes, not encrypted',
    close: async () => client.close(),
  };
}

function driveBidi(client, { receive, fail }) {
  let isClosing = false;
  const stream = client.makeBidiStreamRequest(BIDI.path, asItIs, asItIs);
  // As with calls: a copy, because the stream keeps what it is given.
  const send = (payload) => stream.write(Buffer.from(payload));
  stream.on('data', (payload) => {
    const next = receive(payload);
    if (next !== undefined) send(next);
  });
  stream.on('error', (error) => (isClosing ? undefined : fail(error.message)));
  return {
    send: (payload) => void send(payload),
    async pump(source) {
      const payload = source.payload();
      for (let more = true; more;) {
        more = source.stamp(payload);
        if (!send(payload)) await once(stream, 'drain');
      }
    },
    description: 'grpc-js, one bidirectional stream of bytes, not encrypted',
    async close() {
      isClosing = true;
      stream.cancel();
      client.close();
    },
  };
}

/**
 * @param {Buffer} bytes
 * @returns {Buffer}
 */
function asItIs(bytes) {
  return bytes;
}
