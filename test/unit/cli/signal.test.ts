/** Opening signals: generated ones, and recordings in files. */
import { mkdirSync, mkdtempSync, readdirSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { checkSignal, openSignal, type Signal } from '../../../src/cli/demo/signal.js';

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'eipc-signal-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function recording(name: string, text: string): { kind: 'recording'; path: string } {
  const path = join(folder, name);
  writeFileSync(path, text);
  return { kind: 'recording', path };
}

async function count(signal: Signal): Promise<number> {
  let samples = 0;
  for await (const block of signal.blocks) samples += block.length;
  return samples;
}

function openFiles(): string[] {
  return readdirSync('/proc/self/fd').flatMap((descriptor) => {
    try {
      return [readlinkSync(`/proc/self/fd/${descriptor}`)];
    } catch {
      return []; // the descriptor that read the folder
    }
  });
}

const ramp = (length: number) => Array.from({ length }, (_, i) => i).join('\n');

describe('openSignal', () => {
  test('a generated signal has 256 Hz, µV and as many samples as its seconds hold', async () => {
    const signal = await openSignal({ kind: 'generated', seed: 1, seconds: 3 });
    expect(signal).toMatchObject({ rateHz: 256, unit: 'µV', limit: 768 });
    expect(await count(signal)).toBe(768);
  });

  test('a recording larger than one read arrives whole and in order', async () => {
    const signal = await openSignal(recording('long.txt', `# Sampling Rate (Hz):= 125\n${ramp(50_000)}`));
    const values: number[] = [];
    for await (const block of signal.blocks) values.push(...block);
    expect(values).toEqual(Array.from({ length: 50_000 }, (_, i) => i));
    expect(signal).toMatchObject({ rateHz: 125, unit: 'a.u.', limit: Infinity });
  });

  test('an error in the middle of a recording comes when it is reached', async () => {
    const signal = await openSignal(recording('bad.txt', `# Sampling Rate (Hz):= 125\n${ramp(20_000)}\noops\n`));
    await expect(count(signal)).rejects.toThrow(/bad\.txt:20002: "oops" is not a number/);
  });

  test('seconds limit a recording by its own rate', async () => {
    const spec = recording('limit.txt', `# Sampling Rate (Hz):= 125\n${ramp(1_000)}`);
    expect((await openSignal({ ...spec, seconds: 4 })).limit).toBe(500);
    await expect(openSignal({ ...spec, seconds: 2 })).rejects.toThrow(/--seconds 2 is too short.*at least 2\.05/);
  });
});

describe('checkSignal', () => {
  test('accepts a recording of exactly one window and refuses a shorter one', async () => {
    await checkSignal(recording('256.txt', `# Sampling Rate (Hz):= 125\n${ramp(256)}`));
    const short = checkSignal(recording('255.txt', `# Sampling Rate (Hz):= 125\n${ramp(255)}`));
    await expect(short).rejects.toThrow(/255\.txt has 255 samples, fewer than the 256 of one window/);
  });

  test.skipIf(process.platform !== 'linux')('closes the file', async () => {
    const spec = recording('closed.txt', `# Sampling Rate (Hz):= 125\n${ramp(100_000)}`);
    await checkSignal(spec);
    await expect.poll(() => openFiles().includes(spec.path)).toBe(false);
  });

  test('refuses what is no file, with a remedy', async () => {
    mkdirSync(join(folder, 'folder'));
    const folderSpec = { kind: 'recording', path: join(folder, 'folder') } as const;
    await expect(checkSignal(folderSpec)).rejects.toThrow(/not a regular file: save/);
    await expect(checkSignal({ kind: 'recording', path: '/dev/zero' })).rejects.toThrow(/not a regular file/);
    const missing = checkSignal({ kind: 'recording', path: join(folder, 'missing') });
    await expect(missing).rejects.toThrow(/there is no such file: check --input/);
  });

  test('refuses an empty file', async () => {
    await expect(checkSignal(recording('empty.txt', ''))).rejects.toThrow(/there are no values in this file/);
  });

  test('refuses fewer seconds than one window lasts', async () => {
    await expect(checkSignal({ kind: 'generated', seed: 1, seconds: 0.9 })).rejects.toThrow(/at least 1$/);
  });
});
