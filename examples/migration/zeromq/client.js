// Asks for a square.
import { connect, readKeyFile } from 'eipc';

const server = await connect('shm:squares', { serviceId: 'eni.min', key: await readKeyFile('eni.min.key') });
const reply = await server.request({ type: 'tool_request', payload: { value: 12 } }, { timeout: 1_000 });
console.log('the square is', reply.payload.square);
await server.close();
