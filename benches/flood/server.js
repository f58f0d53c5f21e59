/**
 * The server that is flooded. Told `{ address, secret, tls }`, it listens; asked for `stats`, it answers with its counters, its memory and its time on the
 * processor.
 */
import { readFileSync } from 'node:fs';
import { Key, listen } from '../../dist/index.js';
import { serve } from '../harness/children.js';

/** @type {import('../../dist/index.js').Server} */
let server;

/** @param {{ address?: string; secret?: string; tls?: import('../../dist/index.js').TlsOptions }} order */
serve(async ({ address, secret = '', ...options }) => {
  if (address !== undefined) {
    const key = Key.fromBytes(Buffer.from(secret, 'hex'));
    server = await listen(address, { services: { honest: { key, capabilities: [] } }, ...options });
    return { address: server.addresses[0] };
  }
  const residentKb = Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]);
  return { residentKb, cpu: process.cpuUsage(), ...server.stats() };
});
