// EAI, which acts: moves a motor as the intents of the ENI say, and stops it when in doubt. First: eipc keygen --service eni.min
import { listen, readKeyFile } from 'eipc';
import { Motor } from './motor.js';

/** Without a new intent for so long the motor stops: an ENI may be alive and silent. */
const DEAD_MAN_MS = 250;

const motor = new Motor();
const deadMan = setTimeout(() => motor.stop('no intent in time'), DEAD_MAN_MS);

const key = await readKeyFile('eni.min.key');
const server = await listen('shm:eai', {
  services: { 'eni.min': { key, capabilities: ['motor:move'] } },
  maxConnections: 1,
});
console.log('listening on', server.addresses.join(', '));

server.router.handle('intent', { capability: 'motor:move' }, (message) => {
  const { intent, confidence } = message.payload;
  if (intent === 'stop' || !(confidence >= 0.8)) {
    motor.stop(intent === 'stop' ? 'asked to' : `confidence ${confidence}`);
    return { moving: false };
  }
  motor.move(intent);
  deadMan.refresh();
  return { moving: true };
});
server.router.handle('features', () => undefined);

for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => void server.close());
for await (const eni of server) {
  console.log('connected:', eni.peer.serviceId);
  // The fail-safe. `closed` resolves whatever ended the session: a goodbye, a killed process, a forged frame.
  void eni.closed.then(({ code }) => {
    motor.stop(code);
    console.log('the ENI has gone:', code);
  });
}
motor.stop('this process ends');
