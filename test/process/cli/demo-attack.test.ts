/** `eipc demo --attack` as processes: everything is tried, nothing is accepted, and the honest stream does not notice. */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { ATTACK_KINDS } from '../../../src/cli/demo/attack/tally.js';
import type { Summary } from '../../../src/cli/demo/summary.js';
import { isAlive, Program, run } from './program.js';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'eipc-attack-test-'));
});
afterEach(() => {
  expect(readdirSync(folder)).toEqual([]); // TMPDIR, where the sockets were
  rmSync(folder, { recursive: true, force: true });
});

describe.each(['shm', 'unix', 'tcp', 'tls'])('with the honest stream over %s', (transport) => {
  test('every kind of attack is tried, none is accepted, and nothing of the stream is lost', async () => {
    const args = ['demo', '--attack', '--json', '--transport', transport, '--speed', 'max', '--seconds', '300'];
    const { code, stdout, stderr } = await run(args, { env: { ...process.env, TMPDIR: folder } });
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const summary = JSON.parse(stdout) as Summary;
    expect(summary).toMatchObject({
      transport,
      featuresSent: 2393,
      featuresReceived: 2393,
      lost: 0,
      rejected: 0,
      corrupt: 0,
      outOfOrder: 0,
      attacksAccepted: 0,
      ok: true,
    });
    for (const kind of ATTACK_KINDS) expect(summary.attacks?.kinds[kind].tried).toBeGreaterThan(5);
    // One round alone is more than this, so the attack was not over before it began.
    expect(summary.attacksTried).toBeGreaterThan(90);
    expect(summary.attacks?.untouched.complete).toBeGreaterThan(0);
  });
});

test('a line is printed for each kind', async () => {
  const { code, stdout } = await run(['demo', '--attack', '--speed', 'max', '--seconds', '3'], {
    env: { ...process.env, TMPDIR: folder },
  });
  expect(code).toBe(0);
  expect(stdout).toMatch(/^decoy {2}process \d+ started/m);
  for (const kind of ATTACK_KINDS) expect(stdout).toMatch(new RegExp(`^ +${kind} +\\d+ tried, 0 accepted$`, 'm'));
});

test.each([
  ['SIGINT', 'the demo itself', 130],
  ['SIGKILL', 'EAI', 1],
  ['SIGKILL', 'the decoy', 1],
] as const)('%s to %s ends everything', async (signal, who, expected) => {
  const env = { ...process.env, TMPDIR: folder };
  const program = new Program(['demo', '--attack', '--speed', 'real', '--seconds', '60'], { env });
  const pid = async (role: string) => Number((await program.until(new RegExp(`^${role} +process (\\d+)`, 'm')))[1]);
  const pids = [await pid('EAI'), await pid('decoy'), await pid('ENI')];
  await program.until(/features \d+\/[1-9]/);
  if (who === 'the demo itself') program.child.kill(signal);
  else process.kill(pids[who === 'EAI' ? 0 : 1] ?? 0, signal);
  const { code } = await program.ended;
  expect(code).toBe(expected);
  expect(pids.map(isAlive)).toEqual([false, false, false]);
});
