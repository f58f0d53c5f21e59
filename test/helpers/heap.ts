/** How much memory JavaScript holds, garbage not counted. */
import { setImmediate } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

/** Returns the bytes of live objects and of the buffers they hold. */
export async function usedHeap(): Promise<number> {
  // What a buffer held is given back in a later turn of the loop.
  for (let turn = 0; turn < 4; turn += 1) {
    collectGarbage();
    await setImmediate();
  }
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}
