// Answers chat messages of one service. First: eipc keygen --service eni.min
import { listen, readKeyFile } from 'eipc';

const key = await readKeyFile('eni.min.key');
const server = await listen('shm:hello', { services: { 'eni.min': { key, capabilities: [] } } });

// Who it is comes from the key that verified, not from the message.
server.router.handle('chat', (message, peer) => ({
  text: `hello ${peer.serviceId}, you said "${message.payload.text}"`,
}));

console.log('listening on', server.addresses.join(', '));
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => void server.close());
await server.closed;
