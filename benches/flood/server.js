/**
 * The server that is flooded. Told `{ address, secret, tls }`, it listens; asked for `stats`, it answers with its counters and its memory.
 */
import { readFileSync } from 'node:fs';
import { Key, listen } from '../../dist/index.js';

/** @type {import('../../dist/index.js').Server} */
let server;

process.on('message', (order) => void obey(order));
process.on('disconnect', () => process.exit());

/** @param {{ address?: string; secret?: string; tls?: import('../../dist/index.js').TlsOptions }} order */
async function obey({ address, secret = '', ...options }) {
  if (address !== undefined) {
    const key = Key.fromBytes(Buffer.from(secret, 'hex'));
    server = await listen(address, { services: { honest: { key, capabilities: [] } }, ...options });
    process.send?.({ address: server.addresses[0] });
    return;
  }
  const residentKb = Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]);
  process.send?.({ residentKb, ...server.stats() });
}
