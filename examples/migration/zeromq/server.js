// Answers with the square. First: eipc keygen --service eni.min
import { listen, readKeyFile } from 'eipc';

const key = await readKeyFile('eni.min.key');
const server = await listen('shm:squares', { services: { 'eni.min': { key, capabilities: [] } } });
server.router.handle('tool_request', ({ payload }) => ({ square: payload.value ** 2 }));

console.log('listening on', server.addresses.join(', '));
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => void server.close());
await server.closed;
