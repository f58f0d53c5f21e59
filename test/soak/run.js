/**
 * A server and a client, each in a process of its own, a new connection for every thousand messages: what either holds must not grow.
 *
 * `node test/soak/run.js [--seconds N] [--transport shm|unix]`, after `make build`; `make soak` runs it for ten minutes. Prints the series and
 * the verdicts; ends with 1 if something grew, or a message was wrong.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

/**
 * Has the allocators keep little for later, so that the resident set is what is held: new objects of JavaScript in a space that does not grow,
 * freed blocks back to the system.
 */
const LEAN = {
  execArgv: ['--expose-gc', '--max-semi-space-size=1'],
  env: { ...process.env, MALLOC_ARENA_MAX: '1', MALLOC_MMAP_THRESHOLD_: '65536', MALLOC_TRIM_THRESHOLD_: '65536' },
};
/** The part of a run in which a process takes what it will keep: compiled code, pools, caches. */
const WARM_UP = 0.25;
const MEBIBYTE = 1_048_576;

const HEAD =
  'seconds,process,connections,messages,resident MiB,heap MiB,buffers MiB,descriptors,segments,threads'.split(',');

const { values } = parseArgs({
  options: { seconds: { type: 'string', default: '600' }, transport: { type: 'string', default: 'shm' } },
});
const seconds = Number(values.seconds);
/** Samples of a run: two a second at most. */
const SAMPLES = Math.min(40, Math.ceil(seconds * 2));

/** What may grow between the end of the warm-up and the end of the run, by the slope of the series. */
const TOLERANCES = {
  resident: 8 * MEBIBYTE,
  heap: MEBIBYTE,
  buffers: MEBIBYTE,
  descriptors: 0,
  segments: 0,
  threads: 0,
};

const folder = mkdtempSync(join(tmpdir(), 'eipc-soak-'));
const address = `${values.transport}:${join(folder, 'socket')}`;
const children = {};
process.on('exit', () => {
  for (const child of Object.values(children)) child.kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
});

for (const [name, role] of [
  ['server', 'listen'],
  ['client', 'connect'],
]) {
  const child = fork(fileURLToPath(new URL('peer.js', import.meta.url)), [role, address], LEAN);
  children[name] = child;
  child.once('exit', (code, signal) => {
    process.stderr.write(`the ${name} ended (${signal ?? code})\n`);
    process.exit(1);
  });
  await once(child, 'message');
}

const series = { server: [], client: [] };
print(...HEAD);
const begin = performance.now();
for (let n = 1; n <= SAMPLES; n += 1) {
  await setTimeout(begin + (seconds * 1_000 * n) / SAMPLES - performance.now());
  // The client first: it answers between two connections, and then the server holds none either.
  for (const name of ['client', 'server']) {
    const answer = once(children[name], 'message');
    children[name].send('sample');
    const [sample] = await answer;
    const at = (performance.now() - begin) / 1_000;
    series[name].push({ at, ...sample });
    const { connections, messages, resident, heap, buffers, descriptors, segments, threads } = sample;
    const sizes = [resident, heap, buffers].map((bytes) => (bytes / MEBIBYTE).toFixed(2));
    print(at.toFixed(1), name, connections, messages, ...sizes, descriptors, segments, threads);
  }
}

const faults = Object.entries(series).flatMap(([name, samples]) => judge(name, samples));
process.stdout.write(`load average at the end: ${loadavg()[0].toFixed(2)}\n`);
for (const fault of faults) process.stderr.write(`${fault}\n`);
process.exit(faults.length === 0 ? 0 : 1);

function judge(name, samples) {
  const settled = samples.filter(({ at }) => at >= seconds * WARM_UP);
  const [first, last] = [settled[0], settled.at(-1)];
  return Object.entries(TOLERANCES).flatMap(([what, tolerance]) => {
    const growth = slope(settled.map((sample) => [sample.at, sample[what]])) * (last.at - first.at);
    const inUnits = (number) => (tolerance === 0 ? number.toFixed(2) : `${(number / MEBIBYTE).toFixed(2)} MiB`);
    const verdict = `${name}: ${what} ${inUnits(growth)} in ${last.connections - first.connections} connections, at most ${inUnits(tolerance)}`;
    process.stdout.write(`${verdict}\n`);
    return growth > tolerance ? [`grew: ${verdict}`] : [];
  });
}

/** The median of the slopes between all pairs of points (Theil and Sen): a few samples before or after a collection do not bend it. */
function slope(points) {
  const slopes = points.flatMap(([x, y], index) => points.slice(index + 1).map(([u, v]) => (v - y) / (u - x)));
  const sorted = slopes.sort((left, right) => left - right);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

function print(...columns) {
  process.stdout.write(`${columns.map((column) => String(column).padStart(11)).join(' ')}\n`);
}
