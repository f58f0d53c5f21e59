/**
 * The server that is flooded. Told `{ address, secret }`, it listens; asked for `stats`, it answers with its counters, its memory and its time on the processor.
 */
import { readFileSync } from 'node:fs';
import { Key, listen } from '../../dist/index.js';

/** @type {import('../../dist/index.js').Server} */
let server;

process.on('message', (order) => void obey(order));
process.on('disconnect', () => process.exit());

/** @param {{ address?: string; secret?: string }} order */
async function obey({ address, secret = '' }) {
  if (address !== undefined) {
    const key = Key.fromBytes(Buffer.from(secret, 'hex'));
    server = await listen(address, { services: { honest: { key, capabilities: [] } } });
    process.send?.({ address: server.addresses[0] });
    return;
  }
  const residentKb = Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]);
  process.send?.({ residentKb, cpu: process.cpuUsage(), ...server.stats() });
}
