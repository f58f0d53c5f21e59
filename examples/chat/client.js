// node client.js alice: sends the lines of stdin, prints those of others, ends with its input.
import { createInterface } from 'node:readline';
import { connect, readKeyFile } from 'eipc';
import { address } from './address.js';

const name = process.argv[2] ?? 'alice';
const server = await connect(address, { serviceId: name, key: await readKeyFile(`${name}.key`) });
console.log(`you are ${name}`);

async function print() {
  // JSON.stringify: what others wrote is not for the terminal to obey.
  for await (const { payload } of server) console.log(`${payload.from}: ${JSON.stringify(payload.text)}`);
}

try {
  const printing = print();
  for await (const text of createInterface({ input: process.stdin }))
    await server.send({ type: 'chat', payload: { text } });
  await server.close({ drain: true });
  await printing;
} finally {
  await server.close();
}
