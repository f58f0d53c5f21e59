// The chat, between machines. First: eipc keygen --service alice, eipc keygen --service bob
import { developmentCertificate, listen, readKeyFile } from 'eipc';

// Where else than on this machine: listen on 0.0.0.0, and name the host it is reached by.
const { cert, key, fingerprint } = developmentCertificate({ names: ['localhost', '127.0.0.1'] });

const services = {};
for (const name of ['alice', 'bob']) services[name] = { key: await readKeyFile(`${name}.key`), capabilities: [] };
const server = await listen('tls://127.0.0.1:0', { services, tls: { cert, key } });

server.router.handle('chat', async (message, peer) => {
  const payload = { from: peer.serviceId, text: String(message.payload.text) };
  for (const endpoint of server.endpoints) {
    // One that does not read is not waited for: its lane is full, and it misses the line.
    if (endpoint !== peer.endpoint) endpoint.trySend({ type: 'chat', payload });
  }
});

// The fingerprint is no secret. It has to get to the client unchanged, though: it is what the client believes.
console.log(`node client.js alice ${server.addresses[0]} ${fingerprint}`);
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => void server.close());
await server.closed;
