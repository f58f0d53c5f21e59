/**
 * A server is killed at each step between an operator's word and what it allows; requesters and operators leave at the wrong time; approvals
 * are repeated. What was approved is done once, and never twice. `EIPC_APPROVAL_RUNS` says how many requests are tried (one of each kind;
 * `make approval-kills`: 500).
 */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { randomBytes, randomInt } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { connect, Key, verifyAudit } from '../../src/index.js';
import type { ApprovalRequest, ClientEndpoint } from '../../src/index.js';
import { failure } from '../helpers/policy-scene.js';

const SERVER = fileURLToPath(new URL('fixtures/approving-server.js', import.meta.url));

/** How often a request is carried out, by what happens meanwhile. Both: nobody can know. */
const KINDS = {
  nothing: [1],
  'the operator asks': [0],
  'the operator is recorded': [0],
  'the approval is to be recorded': [0],
  'the approval is being recorded': [0, 1],
  'the approval is recorded': [0],
  'the handler begins': [0],
  'the handler is done': [1],
  'the reply is under way': [1],
  'at any time': [0, 1],
  'the operator leaves': [1],
  'the requester leaves': [0],
} as const;
type Kind = keyof typeof KINDS;
const NAMES = Object.keys(KINDS) as Kind[];
/** What happens without a death of the server. */
const ALIVE: readonly Kind[] = ['nothing', 'the operator leaves', 'the requester leaves'];
const RUNS = Number(process.env['EIPC_APPROVAL_RUNS'] ?? NAMES.length);

describe('between an approval and its effect', () => {
  const bytes = { requester: randomBytes(32), operator: randomBytes(32), audit: randomBytes(32) };
  const requester = Key.fromBytes(bytes.requester);
  const operator = Key.fromBytes(bytes.operator);
  const auditKey = Key.fromBytes(bytes.audit);
  let folder: string;
  let child: ChildProcess | undefined;
  const counts = new Map<string, number>();
  const path = (name: string): string => join(folder, name);

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'eipc-approval-'));
  });
  afterAll(() => {
    child?.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
    const rows = [...counts].map(([outcome, count]) => `  ${count} × ${outcome}\n`);
    process.stdout.write(`approvals: ${RUNS} requests\n${rows.join('')}`);
  });

  async function start(step: string): Promise<ChildProcess> {
    const job = {
      address: `shm:${path('s')}`,
      admin: `unix:${path('admin')}`,
      audit: path('audit.log'),
      effects: path('effects'),
      step,
      delay: randomInt(8),
    };
    const started = spawn(process.execPath, [SERVER, JSON.stringify(job)], { stdio: ['pipe', 'pipe', 'inherit'] });
    started.stdin.end(
      Object.values(bytes)
        .map((one) => one.toString('hex'))
        .join('\n'),
    );
    await once(started.stdout, 'data');
    return started;
  }

  const dial = (): Promise<ClientEndpoint> => connect(`shm:${path('s')}`, { serviceId: 'eni.min', key: requester });
  const dialAdmin = (): Promise<ClientEndpoint> =>
    connect(`unix:${path('admin')}`, { serviceId: 'ann', key: operator });

  async function waiting(admin: ClientEndpoint): Promise<ApprovalRequest> {
    for (;;) {
      const payload = { tool: 'eipc.approvals.list' };
      const reply = await admin.request<{ requests: ApprovalRequest[] }>({
        type: 'tool_request',
        priority: 3,
        payload,
      });
      const [request] = reply.payload.requests;
      if (request !== undefined) return request;
      await pause(1);
    }
  }

  function approve(admin: ClientEndpoint, { id, digest }: ApprovalRequest): Promise<unknown> {
    const payload = { tool: 'eipc.approvals.approve', args: { id, digest } };
    return failure(admin.request({ type: 'tool_request', payload }));
  }

  const effectsOf = (token: string): number =>
    readFileSync(path('effects'), 'utf8')
      .split('\n')
      .filter((line) => line === token).length;

  /** One request, its approval, and what happens meanwhile. */
  async function run(number: number, kind: Kind): Promise<void> {
    const token = `${number}-${kind}`;
    child ??= await start(kind);
    const dies = !ALIVE.includes(kind);
    const ended = dies ? once(child, 'close') : undefined;
    const [client, admin] = await Promise.all([dial(), dialAdmin()]);
    const asked = failure(
      client.request({ type: 'intent', priority: 0, payload: { intent: 'system.reboot', token } }, { timeout: 60_000 }),
    );
    const request = await waiting(admin);
    if (kind === 'the requester leaves') await client.close();
    const word = approve(admin, request);
    if (kind === 'the operator leaves') await admin.close();
    const outcome = await asked;
    const decided = await word;
    if (kind === 'nothing') expect([outcome, decided]).toEqual([undefined, undefined]);
    if (kind === 'the requester leaves') expect(decided).toMatchObject({ code: 'EIPC_NOT_APPROVED' });
    if (ended !== undefined) {
      expect(await ended).toEqual([null, 'SIGKILL']);
      child = undefined;
    }
    await Promise.all([client.close(), admin.close()]);
    // The attacker has seen the approval and repeats it, to the server that lives on and to the one that takes its place.
    child ??= await start('nothing');
    const [again, attacker] = await Promise.all([dial(), dialAdmin()]);
    expect(await approve(attacker, request)).toMatchObject({ code: 'EIPC_NOT_APPROVED' });
    await again.ping();
    await Promise.all([again.close(), attacker.close()]);
    const times = effectsOf(token);
    expect(KINDS[kind] as readonly number[], token).toContain(times);
    const row = `${kind}: done ${times === 0 ? 'never' : `${times} time${times === 1 ? '' : 's'}`}`;
    counts.set(row, (counts.get(row) ?? 0) + 1);
  }

  it('what was approved is done once, whatever dies, and never twice', async () => {
    for (let number = 0; number < RUNS; number += 1) {
      const kind = NAMES[number % NAMES.length] ?? 'nothing';
      if (!ALIVE.includes(kind)) {
        // Each death is of a server that was told when to die.
        const before = child;
        child = undefined;
        if (before !== undefined) {
          before.kill('SIGKILL');
          await once(before, 'close');
        }
      }
      await run(number, kind);
    }
    child?.kill('SIGKILL');
    if (child !== undefined) await once(child, 'close');
    child = await start('nothing'); // which repairs what the last death left
    child.kill('SIGKILL');
    await once(child, 'close');
    child = undefined;
    const lines = readFileSync(path('audit.log'), 'latin1').split('\n');
    const allowed = lines.filter((line) => line.includes('"action":"system.reboot","decision":"allow"')).length;
    const done = readFileSync(path('effects'), 'utf8').split('\n').length - 1;
    expect(done).toBeLessThanOrEqual(allowed);
    expect((await verifyAudit(path('audit.log'), { key: auditKey })).fault).toBeUndefined();
  }, 3_600_000);
});
