/**
 * How a server fares while it is flooded by strangers: what honest clients get, how long they take to connect, what it costs in memory.
 *
 * `node benches/flood.js [--seconds N] [--transports unix,tcp,tls] [--attacks slow,garbage] [--json]`, after `make build`. Server, attacker and
 * honest client are processes of their own. Ends with code 1 when an honest client was turned away or a stranger got in; no figure decides.
 */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect as dial, createServer } from 'node:net';
import { connect as dialTls, createServer as createTlsServer } from 'node:tls';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { connect, developmentCertificate, Key } from '../dist/index.js';
import { ask, start, stop } from './harness/children.js';

/** Milliseconds between two honest connections. */
const PAUSE = 10;
/** Connections of the slow attacker, and of one that sends all at once. */
const SLOW = 1_000;
const FAST = 64;
const SUITES = ['hmac-sha256'];

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '5' },
    transports: { type: 'string', default: 'unix,tcp,tls' },
    attacks: { type: 'string' },
    json: { type: 'boolean', default: false },
  },
});
const seconds = Number(values.seconds);
const wanted = values.attacks?.split(',');
const folder = mkdtempSync(join(tmpdir(), 'eipc-flood-'));
const secret = randomBytes(32);
const key = Key.fromBytes(Buffer.from(secret));
const certificate = developmentCertificate();
const own = { cert: certificate.cert, key: certificate.key };
process.on('exit', () => {
  rmSync(folder, { recursive: true, force: true });
});

const rows = [];
for (const transport of values.transports.split(',')) rows.push(...(await measure(transport)));
process.stdout.write(values.json ? `${JSON.stringify(rows)}\n` : report(rows));
const isFit = rows.every(({ refused, strangers }) => refused === 0 && strangers === 0);
process.exit(isFit ? 0 : 1);

/** @param {string} transport */
async function measure(transport) {
  const server = start(new URL('flood/server.js', import.meta.url));
  const isTls = transport === 'tls';
  const listening = transport === 'unix' ? `unix:${join(folder, transport)}` : `${transport}://127.0.0.1:0`;
  const tls = isTls ? { tls: own } : {};
  const { address } = await ask(server, { address: listening, secret: secret.toString('hex'), ...tls });
  const target =
    transport === 'unix'
      ? { path: join(folder, transport) }
      : { host: '127.0.0.1', port: Number(new URL(address).port) };
  const hello = await recordHello(target, isTls);
  const forged = Buffer.from(hello);
  forged[forged.length - 1] ^= 1;
  // What is said first, inside TLS if there is any, or what TLS itself says first.
  const first = isTls ? await recordFlight() : hello;
  const attacks = [
    { attack: 'none', count: 0, bytes: hello, isSlow: false },
    { attack: 'slow', count: SLOW, bytes: first, isSlow: true },
    ...(isTls ? [{ attack: 'half a handshake', count: SLOW, bytes: first, isSlow: false }] : []),
    { attack: 'garbage', count: FAST, bytes: randomBytes(3_000), isSlow: false },
    { attack: 'wrong tags', count: FAST, bytes: forged, isSlow: false, isTls },
    { attack: 'replayed hellos', count: FAST, bytes: hello, isSlow: false, isTls },
  ];
  const found = [];
  for (const { attack, ...told } of attacks.filter((one) => wanted?.includes(one.attack) ?? true)) {
    const before = await ask(server, {});
    const flooder = start(new URL('flood/flooder.js', import.meta.url));
    await ask(flooder, { ...told, bytes: told.bytes.toString('hex'), target });
    if (told.count === SLOW) while ((await ask(server, {})).accepted < before.accepted + SLOW) await setTimeout(PAUSE);
    const honest = await connectFor(address, seconds * 1_000, optionsOf(isTls));
    const after = await ask(server, {});
    await stop(flooder);
    found.push({
      transport,
      attack,
      ...honest,
      strangers: after.authenticated - before.authenticated - honest.times.length,
      accepted: after.accepted - before.accepted,
      failures: after.handshakeFailures - before.handshakeFailures,
      cut:
        after.refusedUnauthenticated - before.refusedUnauthenticated + (after.refusedSources - before.refusedSources),
      handshaking: after.handshaking,
      grownMb: (after.residentKb - before.residentKb) / 1_024,
    });
  }
  await stop(server);
  return found;
}

/** Connects, asks, closes, again and again. */
async function connectFor(address, duration, options) {
  const times = [];
  const errors = [];
  const end = performance.now() + duration;
  while (performance.now() < end) {
    const begin = performance.now();
    try {
      const endpoint = await connect(address, options);
      times.push(performance.now() - begin);
      await endpoint.ping();
      await endpoint.close();
    } catch (error) {
      errors.push(String(error));
    }
    await setTimeout(PAUSE);
  }
  return { times: times.sort((left, right) => left - right), refused: errors.length, errors: errors.slice(0, 3) };
}

function optionsOf(isTls) {
  return {
    serviceId: 'honest',
    key,
    suites: SUITES,
    ...(isTls ? { tls: { fingerprints: [certificate.fingerprint] } } : {}),
  };
}

/**
 * Returns the first frame of an honest client that the server has seen. Where TLS has to be ended to read it, the session does not come about, and
 * the hello is bound to another connection than any it is sent on later.
 */
async function recordHello(target, isTls) {
  let bytes = Buffer.alloc(0);
  const path = join(folder, 'recorder');
  const onClient = (client) => {
    const server = isTls ? dialTls({ ...target, ca: certificate.cert }) : dial(target);
    client.on('data', (chunk) => (bytes = Buffer.concat([bytes, chunk])));
    client.on('error', () => server.destroy());
    server.on('error', () => client.destroy());
    client.pipe(server).pipe(client);
  };
  const recorder = isTls ? createTlsServer(own, onClient) : createServer(onClient);
  recorder.listen(isTls ? { port: 0, host: '127.0.0.1' } : { path });
  await once(recorder, 'listening');
  const address = isTls ? `tls://127.0.0.1:${recorder.address().port}` : `unix:${path}`;
  const attempt = connect(address, optionsOf(isTls)).then((endpoint) => endpoint.close());
  await (isTls ? attempt.catch(() => {}) : attempt);
  recorder.close();
  return bytes.subarray(0, 4 + bytes.readUInt32BE(0));
}

/** Returns what a client of TLS says first. */
async function recordFlight() {
  const recorder = createServer().listen(0, '127.0.0.1');
  await once(recorder, 'listening');
  const client = dialTls({ port: recorder.address().port, host: '127.0.0.1', minVersion: 'TLSv1.3' }).on(
    'error',
    () => {},
  );
  const [socket] = await once(recorder, 'connection');
  const [flight] = await once(socket, 'data');
  client.destroy();
  socket.destroy();
  recorder.close();
  return flight;
}

function report(found) {
  const lines = found.map(
    ({ transport, attack, times, refused, strangers, accepted, failures, cut, handshaking, grownMb }) =>
      [
        transport,
        attack,
        times.length,
        refused,
        percentile(times, 0.5),
        percentile(times, 0.99),
        strangers,
        accepted,
        failures,
        cut,
        handshaking,
        grownMb.toFixed(1),
      ].join(' | '),
  );
  const head = [
    'transport | attack | honest | turned away | p50 ms | p99 ms | strangers let in | accepted | failed | cut | held | memory +MB',
    `--- | --- | ${'---: | '.repeat(9)}---:`,
  ];
  return `${[...head, ...lines].map((line) => `| ${line} |`).join('\n')}\n`;
}

function percentile(sorted, share) {
  return (sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN).toFixed(1);
}
