/**
 * What the boundary between JavaScript and native code costs, and what a message costs on this side of it: nanoseconds for each, the median of
 * rounds that take turns.
 *
 * `node benches/boundary.js [--seconds N]`, after `make build`. No figure decides the exit code; docs/decisions/0016 quotes them.
 */
import { createHmac, randomBytes } from 'node:crypto';
import { cpus, loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import { jsonCodec } from '../dist/codec.js';
import { Key, sign } from '../dist/index.js';
import { nativeKey } from '../dist/key.js';
import { Message } from '../dist/message.js';
import { DESCRIPTOR_WORDS, DESCRIPTORS_FROM, StreamSession } from '../dist/native.js';
import { RecordWriter } from '../dist/outgoing.js';

const ROUNDS = 9;
const BLOCK = 1_000;

const { values } = parseArgs({ options: { seconds: { type: 'string', default: '3' } } });
const bytes = randomBytes(32);
const key = nativeKey(Key.fromBytes(Buffer.from(bytes)), 2);
// A session that waits for its server: its calls cross the boundary and find nothing to do.
const session = StreamSession.client({
  serviceId: 'bench',
  key,
  suites: [1],
  handshakeTimeout: 600_000,
  maxSegment: 0,
  pskOnly: false,
});
const { receive } = session.calls();
const [nothing, slab] = [Buffer.alloc(0), Buffer.allocUnsafeSlow(65_536)];
const memory = slab.buffer;
const words = new Uint32Array(DESCRIPTORS_FROM + DESCRIPTOR_WORDS);
const frame = randomBytes(128);
const payload = new Uint8Array(64);
const reply = { status: 'ok', counter: 12_345 };
const json = jsonCodec.marshal(reply);
const writer = new RecordWriter();
const shape = {
  tailLength: 32,
  binaryMeta: true,
  codec: jsonCodec,
  maxPayload: [65_536, 65_536, 262_144, 1_047_460],
  handshakeTypes: false,
};
const origin = { source: 'bench', sessionId: '', relays: false, codec: jsonCodec, protocol: 2 };

/** @type {Record<string, () => unknown>} */
const WORK = {
  'a call that fills slab and descriptors (plain Node-API)': () => receive(nothing, 0, slab, 0, words),
  'a call of a generated method (napi-rs)': () => session.state(),
  'a message object over a slab': () => new Message(origin, slab, memory, words, DESCRIPTORS_FROM),
  'the same, and a view of its payload': () => new Message(origin, slab, memory, words, DESCRIPTORS_FROM).bytes,
  'a record of 64 bytes written': () => writer.writeOne({ type: 'features', payload }, shape),
  'an acknowledgement as JSON, written as a record': () => writer.writeOne({ type: 'ack', payload: reply }, shape),
  'its JSON, decoded': () => jsonCodec.unmarshal(json),
  'performance.now()': () => performance.now(),
  'HMAC-SHA256 of 128 bytes by node:crypto': () => createHmac('sha256', bytes).update(frame).digest(),
  'HMAC-SHA256 of 128 bytes by sign()': () => sign(bytes, frame),
};

let sink = 0;
/** @type {Map<string, number[]>} */
const found = new Map(Object.keys(WORK).map((name) => [name, []]));
const slice = (Number(values.seconds) * 1_000) / ROUNDS / found.size;
for (let round = 0; round < ROUNDS; round += 1)
  for (const [name, work] of Object.entries(WORK)) found.get(name)?.push(measure(work));
process.stdout.write(
  `${cpus()[0]?.model}, ${cpus().length} cores, load average ${loadavg()[0]?.toFixed(1)}, Node ${process.version}\n`,
);
for (const [name, each] of found) {
  const [least, , , , median, , , , most] = each.sort((a, b) => a - b).map((time) => time.toFixed(0));
  process.stdout.write(`${name}: ${median} ns (${least} to ${most})\n`);
}
if (sink === 0) throw new Error('nothing was done');

/** @param {() => unknown} work */
function measure(work) {
  let count = 0;
  const start = performance.now();
  let end = start;
  for (; end < start + slice; end = performance.now()) {
    for (let n = 0; n < BLOCK; n += 1) if (work() !== undefined) sink += 1;
    count += BLOCK;
  }
  return ((end - start) * 1e6) / count;
}
