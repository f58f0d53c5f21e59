/** `eipc demo` as processes: nothing lost, both recordings told apart, and safe when one of the processes is killed. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import type { Summary } from '../../../src/cli/demo/summary.js';
import { isAlive, Program, run } from './program.js';

/** Recordings lie beside the checkout where there are any; they are no part of the project. */
const RECORDINGS = fileURLToPath(new URL('../../../../shared/data/eeg', import.meta.url));
const hasRecordings = existsSync(join(RECORDINGS, 'eyes-open.txt')) && existsSync(join(RECORDINGS, 'eyes-closed.txt'));

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'eipc-demo-test-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

async function demo(...args: string[]): Promise<Summary> {
  const { code, stdout, stderr } = await run(['demo', '--json', ...args]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return JSON.parse(stdout) as Summary;
}

describe.each(['shm', 'unix', 'tcp', 'tls'])('over %s', (transport) => {
  test('3 generated seconds arrive whole, in order and intact, and every intent is acknowledged', async () => {
    const summary = await demo('--transport', transport, '--speed', 'max', '--seconds', '3');
    expect(summary).toMatchObject({
      transport,
      input: 'generated',
      samples: 768,
      featuresSent: 17,
      featuresReceived: 17,
      lost: 0,
      rejected: 0,
      corrupt: 0,
      outOfOrder: 0,
      actuator: { state: 'stopped', reason: 'EIPC_CLOSED_BY_PEER' },
      ok: true,
      error: null,
    });
    expect(summary.intentsSent).toBeGreaterThanOrEqual(3);
    expect(summary.acksReceived).toBe(summary.intentsSent);
    if (transport === 'tcp' || transport === 'tls')
      expect(summary.address).toMatch(/^(?:tcp|tls):\/\/127\.0\.0\.1:[1-9]\d*$/);
    const { p50, p99, max } = summary.ackLatencyUs;
    expect(p50).toBeGreaterThan(0);
    expect(p99).toBeGreaterThanOrEqual(p50 ?? Infinity);
    expect(max).toBeGreaterThanOrEqual(p99 ?? Infinity);
  });

  test('a flood of 10 generated minutes at full speed loses nothing', async () => {
    const summary = await demo('--transport', transport, '--speed', 'max', '--seconds', '600');
    expect(summary).toMatchObject({ featuresSent: 4793, featuresReceived: 4793, lost: 0, rejected: 0 });
    // Generated bursts come and go, so both intents must be found.
    expect(Math.min(summary.intents.hold, summary.intents.move)).toBeGreaterThan(0.1);
  });
});

test.skipIf(!hasRecordings)('finds more alpha with eyes closed than with eyes open, in the recordings', async () => {
  const open = await demo('--input', join(RECORDINGS, 'eyes-open.txt'));
  const closed = await demo('--input', join(RECORDINGS, 'eyes-closed.txt'));
  expect(open).toMatchObject({ samples: 30_203, featuresSent: 936, lost: 0, rejected: 0, rateHz: 125 });
  expect(closed).toMatchObject({ samples: 38_219, featuresSent: 1_187, lost: 0, rejected: 0, rateHz: 125 });
  for (const { intentsSent } of [open, closed]) expect(intentsSent).toBeGreaterThan(100);
  // Both the share of alpha in the spectrum and alpha power itself.
  expect((closed.alphaRatio.mean ?? 0) / (open.alphaRatio.mean ?? Infinity)).toBeGreaterThan(1.5);
  expect((closed.alphaRatio.median ?? 0) / (open.alphaRatio.median ?? Infinity)).toBeGreaterThan(1.8);
  expect((closed.alphaPower.mean ?? 0) / (open.alphaPower.mean ?? Infinity)).toBeGreaterThan(1.5);
  expect(closed.intents.hold).toBeGreaterThan(0.6);
  expect(open.intents.hold).toBeLessThan(0.3);
});

test('a seed gives the same features every time', async () => {
  const [one, other] = await Promise.all([
    demo('--speed', 'max', '--seed', '5', '--transport', 'unix'),
    demo('--speed', 'max', '--seed', '5'),
  ]);
  expect(one.alphaRatio).toEqual(other.alphaRatio);
  expect(one.intentsSent).toBe(other.intentsSent);
});

test('without --json the run is told in plain lines, with a summary, and no escape codes', async () => {
  const { code, stdout } = await run(['demo', '--speed', 'real', '--seconds', '3']);
  expect(code).toBe(0);
  expect(stdout).toMatch(/^EAI {2}listens on shm:eipc-demo-\d+$/m);
  expect(stdout).toMatch(/^\d\.\d s \| features \d+\/\d+, .* \| acks \d+\/\d+, p50 .* \| last (?:hold|move) /m);
  expect(stdout).toMatch(/^EAI {2}actuator stopped: the ENI process closed the session/m);
  expect(stdout).toMatch(/^ {2}ack latency +p50 /m);
  expect(stdout.trimEnd()).toMatch(/\nok$/);
  expect(stdout).not.toContain('\u001b');
});

describe('when something goes wrong', () => {
  test('ENI killed in the middle: EAI stops the actuator, and the demo says so and fails', async () => {
    const { program, pids } = await startRunning('shm');
    process.kill(pids.ENI, 'SIGKILL');
    const { code, stdout, stderr } = await program.ended;
    expect(code).toBe(1);
    expect(stdout).toMatch(/^EAI {2}actuator stopped: the ENI process died \(EIPC_PEER_DOWN\)$/m);
    expect(stderr).toBe(`eipc: the ENI process (pid ${pids.ENI}) died: SIGKILL\n`);
    expect(isAlive(pids.EAI)).toBe(false);
  });

  test.each(['unix', 'tcp'])('ENI killed over %s: the actuator stops as well', async (transport) => {
    const { program, pids } = await startRunning(transport);
    process.kill(pids.ENI, 'SIGKILL');
    const { code, stdout } = await program.ended;
    expect(code).toBe(1);
    expect(stdout).toMatch(/^EAI {2}actuator stopped: .*EIPC_(?:PEER_DOWN|TRUNCATED)/m);
  });

  test.each(['shm', 'unix', 'tcp'])(
    'EAI killed over %s: ENI ends, and the demo says so and fails',
    async (transport) => {
      const { program, pids } = await startRunning(transport);
      process.kill(pids.EAI, 'SIGKILL');
      const { code, stderr } = await program.ended;
      expect(code).toBe(1);
      expect(stderr).toBe(`eipc: the EAI process (pid ${pids.EAI}) died: SIGKILL\n`);
      expect(isAlive(pids.ENI)).toBe(false);
    },
  );

  test.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGHUP', 129],
  ] as const)('%s closes the session, stops the actuator and leaves nothing behind', async (signal, expected) => {
    const { program, pids } = await startRunning('unix');
    program.child.kill(signal);
    const { code, stdout, stderr } = await program.ended;
    expect(code).toBe(expected);
    expect(stdout).toMatch(/actuator stopped: the ENI process closed the session \(EIPC_CLOSED_BY_PEER\)/);
    expect(stderr).toBe(`eipc: interrupted by ${signal}\n`);
    expect([isAlive(pids.ENI), isAlive(pids.EAI)]).toEqual([false, false]);
    expect(readdirSync(folder)).toEqual([]); // TMPDIR, where the socket was
  });

  test('the parent killed: both processes end by themselves', async () => {
    const { program, pids } = await startRunning('shm');
    program.child.kill('SIGKILL');
    await expect.poll(() => [isAlive(pids.ENI), isAlive(pids.EAI)], { timeout: 10_000 }).toEqual([false, false]);
  });

  test('the reader of the output gone: everything is closed, and no stack trace', async () => {
    const { program, pids } = await startRunning('shm');
    program.child.stdout.destroy();
    const { code, stderr } = await program.ended;
    expect({ code, stderr }).toEqual({ code: 141, stderr: '' });
    expect([isAlive(pids.ENI), isAlive(pids.EAI)]).toEqual([false, false]);
  });

  test('a bad value in the middle of a recording is wrong input: exit code 2 with file and line', async () => {
    const file = join(folder, 'bad.txt');
    writeFileSync(file, `# Sampling Rate (Hz):= 125\n${'1\n2\n4\n'.repeat(10_000)}oops\n`);
    const { code, stderr } = await run(['demo', '--input', file]);
    rmSync(file);
    expect(code).toBe(2);
    expect(stderr).toMatch(/bad\.txt:30002: "oops" is not a number/);
  });

  test('a folder for the socket that cannot be made is a matter of the environment: exit code 3', async () => {
    const env = { ...process.env, TMPDIR: join(folder, 'missing') };
    const { code, stderr } = await run(['demo', '--transport', 'unix'], { env });
    expect(code).toBe(3);
    expect(stderr).toMatch(/cannot make a folder for the socket/);
  });

  test('a socket path that is too long is a matter of the environment too, and named', async () => {
    const deep = mkdtempSync(join(folder, 'x'.repeat(100)));
    const { code, stderr } = await run(['demo', '--transport', 'unix'], { env: { ...process.env, TMPDIR: deep } });
    rmSync(deep, { recursive: true });
    expect(code).toBe(3);
    expect(stderr).toMatch(/the EAI process cannot start: /);
  });
});

test.skipIf(process.platform !== 'linux')('the key is in no argument and no environment of the processes', async () => {
  const { program, pids } = await startRunning('shm');
  const shown = execFileSync('ps', ['-o', 'args=', '-p', `${pids.ENI},${pids.EAI}`], { encoding: 'utf8' });
  // An interpreter and a script, nothing else.
  for (const line of shown.trim().split('\n')) expect(line.trim().split(/\s+/)).toHaveLength(2);
  program.child.kill('SIGINT');
  await program.ended;
});

/** Starts a run at real speed and waits until features flow. */
async function startRunning(transport: string) {
  const env = { ...process.env, TMPDIR: folder };
  const program = new Program(['demo', '--speed', 'real', '--seconds', '60', '--transport', transport], { env });
  const pid = async (role: string) => Number((await program.until(new RegExp(`^${role} {2}process (\\d+)`, 'm')))[1]);
  const pids = { EAI: await pid('EAI'), ENI: await pid('ENI') };
  await program.until(/features \d+\/[1-9]/);
  return { program, pids };
}
