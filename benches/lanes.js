/**
 * What a P0 message has to wait for while bulk (P3) saturates the server: from the same connection, from another one of the same program, from another
 * process; how the server shares itself between 64 connections; what a client that reads nothing costs the others.
 *
 * `node benches/lanes.js [--seconds N] [--rounds N] [--transports shm,unix] [--bulk BYTES] [--stride N] [--json]`, after `make build`. Server and
 * clients are processes of their own. The handler of bulk looks at one byte in N (1: at each). Every echo is compared with what was sent. Ends
 * with code 1 when one was wrong, or a connection got nothing through; no figure decides.
 */
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { ask, start, stop } from './harness/children.js';
import { GIVING_WAY, makePlacement } from './harness/placement.js';

/** Connections that share the server, and the processes they are in. */
const CLIENTS = 64;
const PROCESSES = 8;
/** Milliseconds between two P0 messages; `null`: the next when the last is back. */
const PAUSES = { paced: 2, 'back to back': null };
/** Milliseconds until a flood has filled its lanes. */
const FILL = 200;

/** Where the processes run when there are more of them than cores. */
const ANYWHERE = { answererPrefix: [], driverPrefix: [] };

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '2' },
    rounds: { type: 'string', default: '3' },
    transports: { type: 'string', default: 'shm,unix' },
    bulk: { type: 'string', default: '4096' },
    stride: { type: 'string', default: '1' },
    json: { type: 'boolean', default: false },
  },
});
const seconds = Number(values.seconds);
const bulk = Number(values.bulk);
const stride = Number(values.stride);
if (!Number.isInteger(stride) || stride < 1)
  throw new RangeError(`--stride is a whole number from 1 on, not ${values.stride}`);
const folder = mkdtempSync(join(tmpdir(), 'eipc-lanes-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));

const placement = makePlacement('two');
const load = loadavg()[0];
const latency = [];
const shares = [];
for (const transport of values.transports.split(',')) {
  latency.push(...(await measureLatency(transport)));
  shares.push(await measureShares(transport));
}
process.stdout.write(values.json ? `${JSON.stringify({ load, latency, shares })}\n` : report());
process.exit(shares.every(({ counts }) => Math.min(...counts) > 0) ? 0 : 1);

/** @param {string} transport */
async function measureLatency(transport) {
  const { server, connectClient } = await listen(transport, ['probe', 'beside', 'other', 'stalled'], placement);
  const probe = await connectClient(['probe', 'beside']);
  // It shares the probe's core. If it did not give way there, the scheduler's turns of milliseconds would be measured and nothing else.
  const other = await connectClient(['other'], { prefix: [...placement.driverPrefix, ...GIVING_WAY] });
  const stalled = await connectClient(['stalled'], { isStalled: true });
  const scenes = [
    { scene: 'quiet' },
    { scene: 'P3 from the same connection', flooder: probe, services: ['probe'] },
    { scene: 'P3 from another connection', flooder: probe, services: ['beside'] },
    // Back to back the probe never rests, and would leave the other process no core to flood from.
    { scene: 'P3 from another process', flooder: other, services: ['other'], kinds: ['paced'] },
  ];
  const found = new Map();
  const note = (name, result) => found.set(name, [...(found.get(name) ?? []), result]);
  const rounds = Number(values.rounds);
  for (let round = 0; round < 2 * rounds; round += 1) {
    // In the second half somebody is there who reads nothing.
    if (round === rounds) await ask(server, { bulkTo: 'stalled' });
    for (const { scene, flooder, services, kinds = Object.keys(PAUSES) } of scenes) {
      for (const kind of kinds) {
        if (flooder !== undefined) {
          await ask(flooder, { flood: { priority: 3, bytes: bulk, services } });
          await setTimeout(FILL);
        }
        const result = await ask(probe, { probe: { seconds, pause: PAUSES[kind] } });
        let fullShare = null;
        if (flooder !== undefined) {
          const { sends, full } = await ask(flooder, { flood: null });
          fullShare = full / sends;
          await setTimeout(FILL);
        }
        note(`${scene}|${kind}|${round < rounds ? 'no' : 'yes'}`, { ...result, fullShare });
      }
    }
    if (round < rounds) {
      const pauses = { seconds, pause: PAUSES.paced };
      const both = await Promise.all([ask(server, { pauses }), ask(probe, { pauses })]);
      const later = both[0].p99 > both[1].p99 ? both[0] : both[1];
      note('no message, both programs never rest|paced|no', { ...later, fullShare: null });
    }
  }
  for (const child of [probe, other, stalled, server]) await stop(child);
  return [...found].map(([name, results]) => {
    const [scene, kind, isStalled] = name.split('|');
    const of = (name) => median(results.map((result) => result[name]));
    return {
      transport,
      scene,
      kind,
      isStalled,
      p50: of('p50'),
      p90: of('p90'),
      p99: of('p99'),
      fullShare: of('fullShare'),
    };
  });
}

/** @param {string} transport */
async function measureShares(transport) {
  const services = Array.from({ length: CLIENTS }, (_, n) => `client-${n}`);
  const { server, connectClient } = await listen(transport, services, ANYWHERE);
  const size = CLIENTS / PROCESSES;
  const clients = [];
  for (let n = 0; n < PROCESSES; n += 1) {
    const theirs = services.slice(n * size, (n + 1) * size);
    clients.push({ client: await connectClient(theirs), theirs });
  }
  for (const { client, theirs } of clients) await ask(client, { flood: { priority: 1, bytes: 64, services: theirs } });
  await setTimeout(1_000);
  const before = new Map((await ask(server, {})).counts);
  await setTimeout(seconds * 1_000);
  const after = (await ask(server, {})).counts;
  for (const { client } of clients) await stop(client);
  await stop(server);
  const counts = services.map((name) => (new Map(after).get(name) ?? 0) - (before.get(name) ?? 0));
  return { transport, counts: counts.sort((left, right) => left - right) };
}

async function listen(transport, services, { answererPrefix, driverPrefix }) {
  const address = `${transport}:${join(folder, `${transport}-${services.length}`)}`;
  const server = start(new URL('lanes/server.js', import.meta.url), answererPrefix);
  const keys = Object.fromEntries(services.map((name) => [name, randomBytes(32).toString('hex')]));
  await ask(server, { address, keys, stride });
  const connectClient = async (names, { prefix = driverPrefix, isStalled = false } = {}) => {
    const client = start(new URL('lanes/client.js', import.meta.url), prefix);
    const theirs = Object.fromEntries(names.map((name) => [name, keys[name]]));
    await ask(client, { address, keys: theirs, isStalled });
    return client;
  };
  return { server, connectClient };
}

function report() {
  const quiet = ({ transport, kind, isStalled }) =>
    latency.find(
      (row) => row.transport === transport && row.kind === kind && row.isStalled === isStalled && row.scene === 'quiet',
    );
  const rows = latency.map((row) =>
    [
      row.transport,
      row.kind,
      row.scene,
      row.isStalled,
      micro(row.p50),
      micro(row.p90),
      micro(row.p99),
      (row.p99 / quiet(row).p99).toFixed(2),
      row.fullShare === null ? '–' : `${(100 * row.fullShare).toFixed(1)} %`,
    ].join(' | '),
  );
  const shared = shares.map(({ transport, counts }) => {
    const [least, most] = [counts[0], counts.at(-1)];
    const total = counts.reduce((sum, count) => sum + count, 0);
    return [transport, CLIENTS, Math.round(total / seconds), least, median(counts), most, (least / most).toFixed(2)];
  });
  return [
    `P0 round trips beside P3 in messages of ${bulk} bytes, of which the handler reads ${stride === 1 ? 'each' : `one in ${stride}`}, medians of ${values.rounds} rounds of ${seconds} s; load average at the start ${load.toFixed(2)}`,
    `${placement.description}; the process that floods ${GIVING_WAY.length > 0 ? 'gives way to the probe' : 'takes its turns of the core with the probe (no chrt here)'}`,
    '',
    ...table(
      'transport | P0 | flood | somebody reads nothing | p50 µs | p90 µs | p99 µs | p99 ÷ quiet | sends that found the lane full',
      rows,
    ),
    '',
    `${CLIENTS} clients in ${PROCESSES} processes send P1 as fast as it is taken; messages of a connection in ${seconds} s`,
    '',
    ...table(
      'transport | clients | messages a second | least | median | most | least ÷ most',
      shared.map((row) => row.join(' | ')),
    ),
    '',
  ].join('\n');
}

function table(head, rows) {
  const rule = head
    .split('|')
    .map(() => '---')
    .join(' | ');
  return [head, rule, ...rows].map((line) => `| ${line} |`);
}

function micro(nanoseconds) {
  return (nanoseconds / 1_000).toFixed(1);
}

function median(values) {
  const sorted = [...values].sort((left, right) => left - right);
  return sorted[Math.floor(sorted.length / 2)];
}
