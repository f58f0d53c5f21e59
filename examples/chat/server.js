// Passes what one says on to all others. First: eipc keygen --service alice, eipc keygen --service bob
import { listen, readKeyFile } from 'eipc';
import { address } from './address.js';

const services = {};
for (const name of ['alice', 'bob']) services[name] = { key: await readKeyFile(`${name}.key`), capabilities: [] };
const server = await listen(address, { services });

server.router.handle('chat', async (message, peer) => {
  const payload = { from: peer.serviceId, text: String(message.payload.text) };
  for (const endpoint of server.endpoints) {
    // One that does not read is not waited for: its lane is full, and it misses the line.
    if (endpoint !== peer.endpoint) endpoint.trySend({ type: 'chat', payload });
  }
});

console.log('listening on', server.addresses.join(', '));
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => void server.close());
await server.closed;
