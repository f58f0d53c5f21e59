/** The example of the README as it stands there: two files, run as two processes in a folder where eipc can be imported. */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect } from 'vitest';

const README = new URL('../../README.md', import.meta.url);

/** Writes `eai.js` and `eni.js`. They expect the key of `eipc keygen --service eni.min` beside them. */
export function writeReadmeExample(folder: string): void {
  const examples = [...readFileSync(README, 'utf8').matchAll(/```js\n\/\/ (\w+\.js)\n([\s\S]*?)```/g)];
  expect(examples.map(([, name]) => name)).toEqual(['eai.js', 'eni.js']);
  for (const [, name = '', code = ''] of examples) writeFileSync(join(folder, name), code);
}

/** Runs both and checks that they talk, and that EAI stops the actuator when ENI has gone. */
export async function expectReadmeExampleTalks(folder: string): Promise<void> {
  // A control socket of its own, whatever else runs on this machine.
  const options = { cwd: folder, env: { ...process.env, XDG_RUNTIME_DIR: folder } };
  const eni = (): Promise<string> =>
    promisify(execFile)(process.execPath, ['eni.js'], options).then(({ stdout }) => stdout, String);
  const eai = spawn(process.execPath, ['eai.js'], { ...options, stdio: ['ignore', 'pipe', 'inherit'] });
  let said = '';
  eai.stdout.setEncoding('utf8').on('data', (text: string) => (said += text));
  try {
    await expect.poll(eni, { timeout: 20_000 }).toMatch(/status: 'ok'/);
    await expect.poll(() => said, { timeout: 5_000 }).toMatch(/actuator stopped: EIPC_CLOSED_BY_PEER/);
    expect(said).toMatch(/features Float32Array\(2\)/);
    expect(said).toMatch(/eni\.min wants move_left/);
  } finally {
    eai.kill('SIGTERM');
    await once(eai, 'close');
  }
}
