/**
 * The server of benches/lanes.js. Told `{ address, keys, stride }` (hex by service id) it listens, sends P0 messages back, and counts the others
 * by service; it adds up one byte in `stride` of them. With each byte it has more to do with a message than its sender, which is what fills lanes.
 * Told `{ bulkTo }` it sends P3 to that service until its lane is full; `{ pauses }` is for pauses.js; asked for anything else it answers with
 * the counts.
 */
import { Key, listen } from '../../dist/index.js';
import { serve } from '../harness/children.js';
import { watchPauses } from './pauses.js';

/** @type {import('../../dist/index.js').Server} */
let server;
/** @type {Map<string, number>} */
const counts = new Map();
let sum = 0;

serve(async ({ address, keys, stride, bulkTo, pauses }) => {
  if (address !== undefined) {
    const services = Object.entries(keys).map(([service, hex]) => {
      const key = Key.fromBytes(Buffer.from(hex, 'hex'));
      return [service, { key, capabilities: [] }];
    });
    server = await listen(address, { services: Object.fromEntries(services), maxConnections: services.length });
    server.router.handle('intent', ({ payload }, { endpoint }) => {
      void endpoint.send({ type: 'intent', priority: 0, payload });
    });
    server.router.handle('features', ({ bytes }, { serviceId }) => {
      // A variable of the module would be written to memory for each byte, and a P0 message waits for all of it.
      let own = 0;
      for (let at = 0; at < bytes.length; at += stride) own = (own + bytes[at]) | 0;
      sum = (sum + own) | 0;
      counts.set(serviceId, (counts.get(serviceId) ?? 0) + 1);
    });
    return {};
  }
  if (pauses !== undefined) return watchPauses(pauses);
  if (bulkTo !== undefined) {
    const [endpoint] = server.endpointsOf(bulkTo);
    const message = { type: 'features', priority: 3, payload: Buffer.alloc(4_096) };
    let sent = 0;
    while (endpoint?.trySend(message) === true) sent += 1;
    return { sent };
  }
  return { counts: [...counts], sum };
});
