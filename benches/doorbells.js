/**
 * What doorbells cost the one who is rung: a peer of a shared-memory server rings at a fixed rate, each bell a system call of its own, and
 * at last as fast as the socket takes them, while an honest client asks.
 *
 * `node benches/doorbells.js [--seconds N] [--json]`, after `make build`. Server, attacker (crates/shm/examples/hostile-peer) and honest
 * client are processes of their own. Ends with code 1 when a million bells a second cost the server a whole core.
 */
import { execFileSync, fork, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { connect, Key } from '../dist/index.js';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
/** Bells a second; 0: as many as go. */
const RATES = [undefined, 10_000, 100_000, 1_000_000, 0];
const MILLION = 1_000_000;

const { values } = parseArgs({
  options: { seconds: { type: 'string', default: '5' }, json: { type: 'boolean', default: false } },
});
const seconds = Number(values.seconds);
execFileSync('cargo', ['build', '--quiet', '--package', 'eipc-shm', '--example', 'hostile-peer'], {
  cwd: ROOT,
  stdio: 'inherit',
});
const load = loadavg()[0] ?? 0;
const folder = mkdtempSync(join(tmpdir(), 'eipc-doorbells-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
const secret = randomBytes(32);
const socket = join(folder, 'socket');

const server = fork(new URL('./flood/server.js', import.meta.url));
await ask({ address: `shm:${socket}`, secret: secret.toString('hex') });
const endpoint = await connect(`shm:${socket}`, { serviceId: 'honest', key: Key.fromBytes(Buffer.from(secret)) });
await askFor(500); // warm

const rows = [];
for (const rate of RATES) rows.push(await measure(rate));
await endpoint.close();
server.disconnect();
process.stdout.write(values.json ? `${JSON.stringify(rows)}\n` : report(rows));
const tooDear = rows.some(({ rate, cores }) => rate === MILLION && cores >= 1);
process.exit(tooDear ? 1 : 0);

/** @param {number | undefined} rate */
async function measure(rate) {
  const attacker = rate === undefined ? undefined : await attack(rate);
  const before = await ask({});
  const begun = performance.now();
  const times = await askFor(seconds * 1_000);
  const elapsed = performance.now() - begun;
  const after = await ask({});
  const used = after.cpu.user - before.cpu.user + (after.cpu.system - before.cpu.system);
  return { rate, rung: (await attacker?.stop()) ?? 0, cores: used / 1_000 / elapsed, times };
}

async function attack(rate) {
  const program = join(ROOT, 'target/debug/examples/hostile-peer');
  const child = spawn(program, ['client', socket, 'honest', 'doorbells-by-rate', String(rate), '1'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  let said = '';
  child.stdout.setEncoding('utf8').on('data', (text) => (said += text));
  child.stdin.write(`${secret.toString('hex')}\n`);
  while (!said.includes('mapped')) await setTimeout(1);
  return {
    /** Bells a second that the socket took. */
    async stop() {
      child.stdin.end();
      await once(child, 'close');
      const { doorbells, milliseconds } = JSON.parse(said.slice(said.indexOf('{')));
      return (doorbells / milliseconds) * 1_000;
    },
  };
}

/** One question a millisecond; returns how long the answers took. */
async function askFor(duration) {
  const times = [];
  const end = performance.now() + duration;
  while (performance.now() < end) {
    times.push(await endpoint.ping());
    await setTimeout(1);
  }
  return times.sort((left, right) => left - right);
}

async function ask(message) {
  const answer = once(server, 'message');
  server.send(message);
  return (await answer)[0];
}

function report(found) {
  const lines = found.map(({ rate, rung, cores, times }) => {
    const wanted = rate === undefined ? 'none' : rate === 0 ? 'all that go' : String(rate);
    return [wanted, Math.round(rung), cores.toFixed(2), percentile(times, 0.5), percentile(times, 0.99)].join(' | ');
  });
  const head = [
    'bells a second | taken a second | cores of the server | honest p50 µs | p99 µs',
    '--- | ---: | ---: | ---: | ---:',
  ];
  return `load average at the start: ${load.toFixed(2)}\n\n${[...head, ...lines].map((line) => `| ${line} |`).join('\n')}\n`;
}

function percentile(sorted, share) {
  return Math.round(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN);
}
