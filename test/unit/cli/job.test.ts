/** The job line and the key on a child's stdin. */
import { PassThrough } from 'node:stream';
import { describe, expect, test } from 'vitest';

import { encodeJob, type Job, readJob } from '../../../src/cli/demo/job.js';

const JOB: Job = { role: 'eai', address: 'shm:eipc-demo-1' };
const KEY = Uint8Array.from({ length: 32 }, (_, i) => (i === 3 ? 10 : i)); // a line break inside the key

describe('readJob', () => {
  test('reads what encodeJob wrote, byte by byte', async () => {
    const stdin = new PassThrough();
    const reading = readJob(stdin);
    for (const byte of encodeJob(JOB, KEY)) stdin.write(Buffer.of(byte));
    const { job, key, stop } = await reading;
    expect(job).toEqual(JOB);
    expect(key).toEqual(KEY);
    expect(stop.aborted).toBe(false);
  });

  test("waits for the decoy's key where the job is about one", async () => {
    const stdin = new PassThrough();
    const reading = readJob(stdin);
    const decoyed: Job = { ...JOB, decoys: ['unix:/decoy'] };
    const other = KEY.map((byte) => byte ^ 0xff);
    for (const byte of encodeJob(decoyed, KEY, other)) stdin.write(Buffer.of(byte));
    expect(await reading).toMatchObject({ job: decoyed, key: KEY, decoyKey: other });
  });

  test('asks to stop when the parent closes the pipe or dies', async () => {
    const stdin = new PassThrough();
    stdin.write(encodeJob(JOB, KEY));
    const { stop } = await readJob(stdin);
    const stopped = new Promise((resolve) => stop.addEventListener('abort', resolve));
    stdin.end();
    await stopped;
  });

  test('fails when the pipe ends before the key is complete', async () => {
    const stdin = new PassThrough();
    stdin.end(encodeJob(JOB, KEY.subarray(1)));
    await expect(readJob(stdin)).rejects.toThrow(/started by `eipc demo`/);
  });

  test('fails on something else than a job', async () => {
    const [noise, flood] = [new PassThrough(), new PassThrough()];
    noise.write(Buffer.concat([Buffer.from('hello\n'), KEY]));
    await expect(readJob(noise)).rejects.toThrow(/not JSON/);
    flood.write(Buffer.alloc(70_000, 'x'));
    await expect(readJob(flood)).rejects.toThrow(/too long/);
  });
});
