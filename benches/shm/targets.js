/**
 * What EIPC is to reach, row by row. A row names a point, and either a figure or a ratio to another point of the same round, with a bound; a
 * row without a bound is there to be seen.
 *
 * @typedef {object} PointName
 * @property {string} contestant
 * @property {string} measure
 * @property {number} size - bytes of payload
 * @property {'two' | 'one'} placement
 *
 * @typedef {object} Target
 * @property {string} metric
 * @property {PointName} [point]
 * @property {PointName} [against] - what it is compared with
 * @property {number} [atMost] - nanoseconds or a share; with `against`, how many times its figure
 * @property {number} [atLeast] - messages a second; with `against`, how many times better
 * @property {string} [lane] - instead of a point: what the P0 message of ../lanes.js meets
 * @property {string} [note] - where a bound comes from
 */
import { HUGE, LARGE, SMALL } from './scenes.js';

/** Nanoseconds. */
const MICROSECOND = 1_000;
const MILLISECOND = 1_000_000;
const MILLION = 1_000_000;
/** Share of a core: what a request before and after costs, no timer and no spinning. */
const NOTHING = 0.001;

/** Bytes of both directions as they are configured by default. */
const RINGS = 2 * (256 + 256 + 1024 + 4096) * 1024;

/** The original's own figures on this class of machine; it cannot be run here. */
const ORIGINAL = { roundTrip: 23 * MICROSECOND, perSecond: 130_000 };

const at = (contestant, measure, size = SMALL, placement = 'two') => ({ contestant, measure, size, placement });
const trip = (contestant, placement = 'two') => at(contestant, 'round-trip', SMALL, placement);
const send = (contestant) => at(contestant, 'one-way');
const batch = (contestant) => at(contestant, 'one-way-batch');
const large = (contestant) => at(contestant, 'one-way', LARGE);
const huge = (contestant) => at(contestant, 'one-way', HUGE);

const TRIP = { metric: 'Node ↔ Node, shared memory, 64 B, round trip', point: trip('eipc-shm') };
const SEND = { metric: 'Node → Node, shared memory, 64 B, one by one', point: send('eipc-shm') };
const BATCH = { metric: 'Node → Node, shared memory, 64 B, in batches', point: batch('eipc-shm') };
const AES = { metric: 'Node → Node, 64 KiB, AES-256-GCM', point: large('eipc-aes-256-gcm') };
const CHACHA = { metric: 'Node → Node, 64 KiB, ChaCha20-Poly1305', point: large('eipc-chacha20-poly1305') };
const HMAC = { metric: 'Node → Node, 64 KiB, HMAC-SHA256', point: large('eipc-shm') };
const UNIX_TRIP = { metric: 'Unix socket, HMAC, 64 B, round trip', point: trip('eipc-unix') };
const UNIX_SEND = { metric: 'Unix socket, HMAC, 64 B, one by one', point: send('eipc-unix') };

/** @type {readonly Target[]} */
export const TARGETS = [
  {
    metric: 'Rust ↔ Rust, shared memory, spin, HMAC, 64 B, round trip',
    point: trip('rust-shm'),
    against: trip('floor-hmac'),
    atMost: 1.3,
  },
  { ...TRIP, atMost: 3 * MICROSECOND },
  { ...TRIP, atMost: 2 * MICROSECOND },
  { ...TRIP, against: trip('zeromq'), atLeast: 25 },
  { ...TRIP, against: trip('grpc-unary'), atLeast: 60 },
  { ...TRIP, against: trip('net-raw'), atLeast: 20 },
  { metric: 'request() with its JSON acknowledgement', point: at('eipc-shm', 'request'), atMost: 5 * MICROSECOND },
  {
    metric: 'Node ↔ Node, shared memory, 64 B, round trip on one core',
    point: trip('eipc-shm', 'one'),
    against: trip('net-raw', 'one'),
    atMost: 1,
  },
  { ...SEND, atLeast: 2 * MILLION },
  { ...SEND, against: send('zeromq'), atLeast: 4 },
  { ...SEND, against: send('net-raw'), atLeast: 2 },
  { ...SEND, against: send('net-hmac'), atLeast: 6 },
  { ...BATCH, atLeast: 4 * MILLION },
  { ...BATCH, against: send('zeromq'), atLeast: 4 },
  { ...BATCH, against: batch('net-raw'), atLeast: 2 },
  { ...BATCH, against: batch('net-hmac'), atLeast: 6 },
  {
    metric: 'Node → Node, shared memory, vectors of 64 B, in blocks',
    point: batch('eipc-vectors'),
    atLeast: 4 * MILLION,
  },
  { ...AES, against: large('zeromq'), atLeast: 1.2 },
  { ...HMAC, against: large('floor-hmac'), atLeast: 0.85 },
  { ...UNIX_TRIP, against: trip('net-raw'), atMost: 1.25 },
  { ...UNIX_TRIP, atMost: ORIGINAL.roundTrip, note: 'the original' },
  { ...UNIX_SEND, atLeast: 0.7 * MILLION },
  { ...UNIX_SEND, atLeast: 4 * ORIGINAL.perSecond, note: '4 × the original' },
  { metric: 'P0 p99, paced, while P3 saturates its connection', lane: 'paced|P3 from the same connection', atMost: 2 },
  { metric: 'P0 p99, paced, while P3 saturates another', lane: 'paced|P3 from another connection', atMost: 2 },
  {
    metric: 'P0 p99, back to back, while P3 saturates its connection',
    lane: 'back to back|P3 from the same connection',
    atMost: 2,
  },
  {
    metric: 'P0 p99, back to back, while P3 saturates another',
    lane: 'back to back|P3 from another connection',
    atMost: 2,
  },
  { metric: 'P0 p99, paced, while another process saturates', lane: 'paced|P3 from another process', atMost: 2 },
  {
    metric: 'p99 of the wait for its own core of a program that never rests',
    lane: 'paced|no message, both programs never rest',
  },
  { metric: 'connect, shared memory, X25519', point: at('eipc-shm', 'connect'), atMost: 3 * MILLISECOND },
  { metric: 'CPU of both processes, parked', point: at('eipc-shm', 'parked'), atMost: NOTHING },
  {
    metric: 'memory of an idle connection',
    point: at('eipc-shm', 'memory'),
    atMost: RINGS + 64 * 1024,
    note: 'its rings + 64 KiB',
  },
  {
    metric: 'SIGKILL of the peer → end of the connection',
    point: at('eipc-shm', 'peer-down'),
    atMost: 10 * MILLISECOND,
  },

  { metric: 'JSON object, about 64 B, round trip', point: trip('eipc-json'), against: trip('eipc-shm') },
  { metric: 'JSON object, about 64 B, one by one', point: send('eipc-json'), against: send('eipc-shm') },
  { metric: 'Float32Array, 64 B, round trip', point: trip('eipc-float32'), against: trip('eipc-shm') },
  { metric: 'Float32Array, 64 B, one by one', point: send('eipc-float32'), against: send('eipc-shm') },
  { ...TRIP, against: trip('grpc-bidi') },
  { ...SEND, against: send('grpc-bidi') },
  { ...CHACHA, against: large('zeromq') },
  { metric: 'Node → Node, 1 MB, HMAC-SHA256', point: huge('eipc-shm'), against: huge('zeromq') },
  { metric: 'Node → Node, 1 MB, AES-256-GCM', point: huge('eipc-aes-256-gcm'), against: huge('zeromq') },
  { metric: 'Node → Node, 1 MB, ChaCha20-Poly1305', point: huge('eipc-chacha20-poly1305'), against: huge('zeromq') },
  { metric: 'Rust → Rust, 64 KiB, HMAC-SHA256', point: large('rust-shm'), against: large('floor-hmac') },
];
