// Asks once, prints the answer, closes.
import { connect, readKeyFile } from 'eipc';

const server = await connect('shm:hello', { serviceId: 'eni.min', key: await readKeyFile('eni.min.key') });
try {
  const reply = await server.request({ type: 'chat', payload: { text: process.argv[2] ?? 'hi' } }, { timeout: 1_000 });
  console.log(reply.payload.text);
} finally {
  await server.close();
}
