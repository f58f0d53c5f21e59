/**
 * A whole story with real programs: an ENI asks over shared memory, the policy parks, an operator approves one and denies one, the policy is
 * read again, and the audit verifies.
 */
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { connect } from '../../../src/index.js';
import type { ClientEndpoint, PendingApproval } from '../../../src/index.js';
import { ask } from '../../helpers/policy-scene.js';
import { Program, run } from './program.js';
import type { Ended } from './program.js';

const POLICY = `version: 1
aliases: { restart: system.reboot }
rules:
  - { action: ui.*, class: safe, capability: 'ui:control' }
  - { action: motor.*, class: controlled, capability: 'device:write' }
  - { action: system.*, class: restricted, description: stops the whole machine }
`;
const LONG = { timeout: 60_000 };
const DENIED = { code: 'EIPC_POLICY', remote: true };

const eni = randomBytes(32);
let cwd = '';
let server: Program;

beforeAll(async () => {
  cwd = mkdtempSync(join(tmpdir(), 'eipc-story-'));
  writeFileSync(join(cwd, 'eni.key'), eni, { mode: 0o600 });
  for (const name of ['ann.key', 'audit.key', 'other.key'])
    writeFileSync(join(cwd, name), randomBytes(32), { mode: 0o600 });
  writeFileSync(join(cwd, 'policy.yaml'), POLICY);
  server = new Program(
    [
      'listen',
      `shm:${join(cwd, 'eai')}`,
      '--key',
      'eni.key',
      '--capability',
      'ui:control',
      '--policy',
      'policy.yaml',
      '--audit',
      'audit.log',
      '--audit-key',
      'audit.key',
      '--admin',
      `unix:${join(cwd, 'admin')}`,
      '--operator',
      'ann=ann.key',
    ],
    { cwd },
  );
  await server.until(/approvals: unix:/);
});
afterAll(() => {
  server.child.kill('SIGKILL');
  rmSync(cwd, { recursive: true, force: true });
});

/** Runs a command of the operator. */
const approvals = (...args: string[]): Promise<Ended> =>
  run(['approvals', ...args, '--admin', `unix:${join(cwd, 'admin')}`, '--service', 'ann', '--key', 'ann.key'], { cwd });

/** Asks, and waits until it is known that an operator has to decide. */
async function askFor(client: ClientEndpoint, intent: string, more: object = {}): Promise<[string, Promise<unknown>]> {
  let tell: (pending: PendingApproval) => void = () => undefined;
  const pending = new Promise<PendingApproval>((resolve) => (tell = resolve));
  const asked = ask(client, intent, { priority: 0, payload: { intent, ...more } }, { ...LONG, onPending: tell });
  return [(await pending).approval, asked];
}

describe('the story of two requests', () => {
  it('is told by the operator, by the ENI and by the audit alike', async () => {
    const client = await connect(`shm:${join(cwd, 'eai')}`, { serviceId: 'eni.min', key: eni });
    expect(await ask(client, 'ui.click')).toBeUndefined();
    expect(await ask(client, 'motor.move')).toMatchObject({ code: 'EIPC_CAPABILITY', remote: true });
    expect(await ask(client, 'door.open')).toMatchObject(DENIED);
    const watch = new Program(
      ['approvals', 'watch', '--admin', `unix:${join(cwd, 'admin')}`, '--service', 'ann', '--key', 'ann.key', '--json'],
      { cwd },
    );

    const [good, goodAsked] = await askFor(client, 'restart', { note: '\u001b[2J\u202e' });
    await watch.until(/"event":"parked"/);
    const listed = await approvals('list');
    expect(listed).toMatchObject({ code: 0, stderr: '' });
    expect(listed.stdout).toMatch(
      new RegExp(`^${good}  eni\\.min asks for system\\.reboot \\(as restart\\)  \\d+ s left\n`),
    );
    expect(listed.stdout).toContain('  what it does: stops the whole machine\n');
    expect(listed.stdout).toContain('  payload: {"intent":"restart","note":"\\u001b[2J\\u{202e}"}\n');
    expect(await approvals('approve', good.toLowerCase().replace('-', ''))).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(new RegExp(`^approved: ${good}  eni\\.min`)) as unknown,
    });
    expect(await goodAsked).toBeUndefined();
    expect(await approvals('approve', good)).toMatchObject({
      code: 1,
      stderr: `eipc: no request ${good} waits: it was decided, it expired, or its requester is gone\n`,
    });

    const [bad, badAsked] = await askFor(client, 'system.halt');
    const denied = await approvals('deny', bad, '--json');
    expect(JSON.parse(denied.stdout)).toMatchObject({
      decision: 'denied',
      request: { id: bad, action: 'system.halt' },
    });
    expect(await badAsked).toMatchObject({ code: 'EIPC_NOT_APPROVED', remote: true });
    expect(await approvals('list')).toMatchObject({ code: 0, stdout: 'nothing waits for an operator\n' });

    await watch.until(/"event":"denied"/);
    watch.child.kill('SIGTERM');
    const watched = await watch.ended;
    expect(watched.code).toBe(143);
    expect(
      watched.stdout
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line) as { event: string; by: string; request: { id: string } })
        .map(({ event, by, request }) => `${request.id} ${event} ${by}`),
    ).toEqual([`${good} parked `, `${good} approved ann`, `${bad} parked `, `${bad} denied ann`]);

    // The policy is read again: a fault changes nothing, a good one holds from then on.
    writeFileSync(join(cwd, 'policy.yaml'), `${POLICY}  - { action: door.*, class: save }\n`);
    server.child.kill('SIGHUP');
    await server.until(/policy: the policy so far stays in force: policy\.yaml:7:30: class is 'save'/);
    expect(await ask(client, 'door.open')).toMatchObject(DENIED);
    expect(await ask(client, 'ui.click')).toBeUndefined();
    writeFileSync(join(cwd, 'policy.yaml'), `${POLICY}  - { action: door.*, class: safe }\n`);
    server.child.kill('SIGHUP');
    await server.until(/policy: 4 rules are in force/);
    expect(await ask(client, 'door.open')).toBeUndefined();
    await client.close();

    server.child.kill('SIGTERM');
    const ended = await server.ended;
    expect([ended.code, ended.stderr]).toEqual([143, '']);
    const done = [...ended.stdout.matchAll(/^P\d {2}intent .*"intent":"([^"]+)"/gm)].map(([, intent]) => intent);
    expect(done).toEqual(['ui.click', 'restart', 'ui.click', 'door.open']);

    const verified = await run(['audit', 'verify', 'audit.log', '--key-file', 'audit.key'], { cwd });
    expect(verified).toMatchObject({ code: 0, stdout: expect.stringMatching(/lines are good/) as unknown });
    const shown = await run(['audit', 'show', 'audit.log', '--peer', 'eni.min', '--json'], { cwd });
    const entries = shown.stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as { action: string; decision: string; result: string; frame: string });
    const about = entries.filter(({ action }) => !action.startsWith('session.'));
    expect(about.map(({ decision, action }) => `${decision} ${action}`)).toEqual([
      'allow ui.click',
      'deny motor.move',
      'deny door.open',
      'confirm restart',
      'allow restart',
      'confirm system.halt',
      'deny system.halt',
      'deny door.open',
      'allow ui.click',
      'allow door.open',
    ]);
    expect(about[4]?.result).toContain(`approved by 'ann' as ${good}`);
    expect(about[6]?.result).toContain(`denied by 'ann' as ${bad}`);
    expect(about[3]?.frame).toBe(about[4]?.frame);
  });
});

describe('eipc approvals', () => {
  it('says what is missing or wrong', async () => {
    const error = async (...args: string[]): Promise<unknown> => {
      const { code, stderr } = await run(args, { cwd, env: { ...process.env, EIPC_ADMIN_ADDR: '' } });
      return [code, stderr.split('\n')[0]];
    };
    expect(await error('approvals', 'list')).toEqual([
      2,
      'eipc: an address is needed: --admin ADDRESS, or EIPC_ADMIN_ADDR',
    ]);
    const at = ['--admin', 'unix:/nowhere/admin', '--key', 'ann.key'];
    expect(await error('approvals', 'list', ...at)).toEqual([3, expect.stringContaining('EIPC_TRANSPORT')]);
    for (const [missing, args] of [
      ['--policy needs --audit FILE', ['--policy', 'policy.yaml']],
      ['--admin needs --policy FILE', ['--audit', 'a', '--admin', 'unix:/x', '--operator', 'ann=ann.key']],
      ['--operator needs --admin ADDRESS', ['--operator', 'ann=ann.key']],
      ['--operator is "ann"; it must be ID=KEYFILE', ['--operator', 'ann']],
    ] as const)
      expect(await error('listen', `unix:${join(cwd, 'x')}`, '--key', 'eni.key', ...args)).toEqual([
        2,
        expect.stringContaining(missing),
      ]);
  });
});
