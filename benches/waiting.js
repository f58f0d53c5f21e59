/**
 * What each way to wait (`wait`) costs and brings: round trips back to back and now and then, with the processor time of both ends; that of
 * two ends with nothing to do; and how late a timer of a millisecond is at an end that is flooded.
 *
 * `node benches/waiting.js [--seconds N] [--placement two|one|both] [--json]`, after `make build`. The ends are processes of their own; every
 * echo is compared with what was sent. No figure decides the exit code.
 */
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { ask, start, stop } from './harness/children.js';
import { makePlacement } from './harness/placement.js';

const SIDE = new URL('waiting/side.js', import.meta.url);
const WAYS = [
  { transport: 'shm', wait: 'adaptive' },
  { transport: 'shm', wait: 'park' },
  { transport: 'shm', wait: 'poll' },
  { transport: 'unix', wait: 'adaptive' },
  { transport: 'unix', wait: 'park' },
];
/** Milliseconds between an echo and the next message. */
const PAUSES = [
  { name: 'back to back', pause: 0 },
  { name: 'every millisecond or two', pause: 1 },
  { name: '20 a second', pause: 50 },
];

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '2' },
    placement: { type: 'string', default: 'both' },
    json: { type: 'boolean', default: false },
  },
});
const seconds = Number(values.seconds);
const load = loadavg()[0] ?? 0;
const folder = mkdtempSync(join(tmpdir(), 'eipc-waiting-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));

const rows = [];
for (const name of values.placement === 'both' ? ['two', 'one'] : [values.placement])
  for (const way of WAYS) rows.push(...(await measure(makePlacement(name), way)));
process.stdout.write(values.json ? `${JSON.stringify({ load, seconds, rows })}\n` : report());

/**
 * @param {import('./harness/placement.js').Placement} placement
 * @param {{ transport: string, wait: string }} way
 */
async function measure({ name, answererPrefix, driverPrefix }, { transport, wait }) {
  const place = name === 'one' ? 'one core' : 'two cores';
  const key = randomBytes(32).toString('hex');
  const address = `${transport}:${join(folder, `${name}-${transport}-${wait}`)}`;
  const [answerer, asker] = [start(SIDE, answererPrefix), start(SIDE, driverPrefix)];
  await ask(answerer, { listen: address, key, wait });
  await ask(asker, { connect: address, key, wait });
  await ask(asker, { ask: { seconds: 1, pause: 0 } }); // warm
  const found = [];
  for (const { name: scene, pause } of PAUSES) {
    const [{ result, cores }, other] = await both(answerer, asker, { ask: { seconds, pause } }, { rest: seconds });
    found.push({ place, transport, wait, scene, ...result, cores: cores + other.cores });
  }
  const [idle, other] = await both(answerer, asker, { rest: seconds }, { rest: seconds });
  found.push({ place, transport, wait, scene: 'nothing to do', cores: idle.cores + other.cores });
  const [flood, timer] = await both(answerer, asker, { flood: seconds }, { timer: seconds });
  found.push({ place, transport, wait, scene: 'timer beside a flood', ...timer.result, rate: flood.result });
  await stop(asker);
  await stop(answerer);
  return found;
}

/** Orders both sides at once; the asker's answer comes first. */
function both(answerer, asker, order, meanwhile) {
  return Promise.all([ask(asker, order), ask(answerer, meanwhile)]);
}

function report() {
  const lines = rows.map((row) => {
    const times = row.p50 === undefined ? ['–', '–'] : [micro(row.p50), micro(row.p99)];
    const cores = row.cores === undefined ? '–' : row.cores.toFixed(3);
    return `| ${[row.place, row.transport, row.wait, row.scene, ...times, cores].join(' | ')} |`;
  });
  return [
    `Each scene ${seconds} s; load average at the start ${load.toFixed(2)}. Cores: processor time of both ends by the clock. The timer: how late.`,
    '',
    '| placement | transport | wait | scene | p50 µs | p99 µs | cores |',
    '| --- | --- | --- | --- | ---: | ---: | ---: |',
    ...lines,
    '',
  ].join('\n');
}

/** @param {number} nanoseconds */
function micro(nanoseconds) {
  return (nanoseconds / 1_000).toFixed(1);
}
