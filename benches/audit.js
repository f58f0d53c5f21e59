/**
 * What an audit log costs: how long one durable entry takes, how many a second there are in groups, and what a request costs with one.
 *
 * `node benches/audit.js [--folder DIR] [--seconds N]`, after `make build`. The log is written to a new folder in DIR (default: the current one),
 * whose disk is what is measured. Requests with and without a log take turns; client, server and log are one process, all of whose processor
 * time is counted. Every log is verified.
 */
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { AuditLogger, connect, Key, listen, verifyAudit } from '../dist/index.js';
import { compareRequestCosts } from './harness/request-cost.js';

const { values } = parseArgs({
  options: { folder: { type: 'string', default: '.' }, seconds: { type: 'string', default: '2' } },
});
const seconds = Number(values.seconds);
const folder = mkdtempSync(join(resolve(values.folder), 'eipc-audit-bench-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
const key = Key.fromBytes(randomBytes(32));
const entry = { peer: 'eni.min', action: 'motor.move', decision: 'allow', requestId: 'c1', frame: 'ab'.repeat(32) };
let logs = 0;

/** @param {(logger: AuditLogger) => Promise<void>} use */
async function withLog(use) {
  const path = join(folder, `${++logs}.log`);
  const logger = await AuditLogger.open(path, { key });
  await use(logger);
  await logger.close();
  const { fault } = await verifyAudit(path, { key, checkpoints: `${path}.checkpoints` });
  if (fault !== undefined) throw new Error(`the log is bad: ${JSON.stringify(fault)}`);
}

/** @param {number[]} sorted @param {number} share */
const at = (sorted, share) =>
  (sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? NaN).toFixed(2);

process.stdout.write(
  `${cpus()[0]?.model}, ${cpus().length} cores, load average ${loadavg()[0]?.toFixed(1)}, Node ${process.version}\n`,
);

await withLog(async (logger) => {
  const times = [];
  for (const end = performance.now() + seconds * 1_000; performance.now() < end;) {
    const start = performance.now();
    await logger.log(entry);
    times.push(performance.now() - start);
  }
  times.sort((a, b) => a - b);
  process.stdout.write(`one durable entry after the other: p50 ${at(times, 0.5)} ms, p99 ${at(times, 0.99)} ms\n`);
});

await withLog(async (logger) => {
  const start = performance.now();
  while (performance.now() < start + seconds * 1_000)
    await Promise.all(Array.from({ length: 4_096 }, () => logger.log(entry)));
  const { logged, groups } = logger.stats();
  const rate = (logged * 1_000) / (performance.now() - start);
  process.stdout.write(
    `as many as wait in one group: ${Math.round(rate)} durable entries a second in ${groups} groups\n`,
  );
});

await withLog(async (logger) => {
  /** @type {{ name: string, client: import('../dist/index.js').ClientEndpoint, server: import('../dist/index.js').Server }[]} */
  const sides = [];
  for (const [name, audit] of [
    ['without', undefined],
    ['with an audit log', logger],
  ]) {
    const services = { 'eni.min': { key, capabilities: ['device:write'] } };
    const server = await listen(`shm:${join(folder, name.replaceAll(' ', '-'))}`, { services, audit });
    server.router.handle('intent', { capability: 'device:write' }, () => ({ status: 'ok' }));
    sides.push({ name, server, client: await connect(server.addresses[0], { serviceId: 'eni.min', key }) });
  }
  const message = { type: 'intent', priority: 0, capability: 'device:write', payload: { intent: 'motor.move', by: 3 } };
  await compareRequestCosts(sides, message, seconds, '');
});
