// node client.js alice ADDRESS FINGERPRINT, as the server prints it: sends the lines of stdin, prints those of others, ends with its input.
import { createInterface } from 'node:readline';
import { connect, readKeyFile } from 'eipc';

const [name, address, fingerprint] = process.argv.slice(2);
const server = await connect(address, {
  serviceId: name,
  key: await readKeyFile(`${name}.key`),
  tls: { fingerprints: [fingerprint] },
});
console.log(`you are ${name}, by ${server.peer.tls.protocol} with ${server.peer.tls.cipher}`);

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
