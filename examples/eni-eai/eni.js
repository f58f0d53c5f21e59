// ENI, which decodes: streams features and asks for a movement fifty times a second, until it is stopped.
import { setTimeout as pause } from 'node:timers/promises';
import { connect, readKeyFile } from 'eipc';

const eai = await connect('shm:eai', { serviceId: 'eni.min', key: await readKeyFile('eni.min.key') });
const stopped = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => stopped.abort());

try {
  for (let step = 0; !stopped.signal.aborted; step += 1) {
    // Telemetry has a lane of its own: it never delays an intent.
    await eai.send({
      type: 'features',
      priority: 2,
      payload: Float32Array.of(Math.sin(step / 10), Math.cos(step / 10)),
    });
    // The time-out is the intent's age limit too: one that comes late is refused, not executed.
    const { payload } = await eai.request(
      { type: 'intent', priority: 0, capability: 'motor:move', payload: { intent: 'left', confidence: 0.93 } },
      { timeout: 1_000 },
    );
    if (step === 0) console.log('first answer:', payload);
    await pause(20, undefined, { signal: stopped.signal }).catch(() => undefined);
  }
} finally {
  await eai.close();
}
