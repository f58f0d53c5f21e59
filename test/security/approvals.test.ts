/**
 * The attacker holds a key with every capability and wants a restricted action done that nobody approved; or sits at an operator's desk and
 * repeats, keeps and swaps approvals. What is done without an approval of exactly that message, in time, is counted: nothing.
 */
import { randomBytes } from 'node:crypto';
import { afterEach, describe, expect, it, vi } from 'vitest';

import { Key, PolicyEngine, serveApprovals } from '../../src/index.js';
import type { ApprovalEvent, ApprovalTarget, ClientEndpoint, Server } from '../../src/index.js';
import { Approval } from '../../src/policy/approval.js';
import { Notebook } from '../helpers/notebook.js';
import { ask, examplePolicy, failure, key, parked, parkedOne, PolicyScene } from '../helpers/policy-scene.js';

const scene = new PolicyScene();
const LONG = { timeout: 120_000 };
const NOT_APPROVED = expect.objectContaining({ code: 'EIPC_NOT_APPROVED' }) as unknown;

afterEach(() => {
  vi.useRealTimers();
});

const approve = (server: Server, target: ApprovalTarget): Promise<unknown> =>
  failure(server.approvals?.approve(target) ?? Promise.resolve());

async function open(policy = examplePolicy()): Promise<{ server: Server; client: ClientEndpoint; notebook: Notebook }> {
  const notebook = new Notebook();
  const server = await scene.serve(notebook, { policy });
  return { server, client: await scene.dial(server), notebook };
}

/** Time that tests turn. */
function turnable(): void {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
}

describe('an approval', () => {
  it('works once: repeated a hundred times, before and after its effect, it does nothing more', async () => {
    const { server, client } = await open();
    const asked = ask(client, 'system.reboot', {}, LONG);
    const request = await parkedOne(server);
    const words = await Promise.all(Array.from({ length: 50 }, () => approve(server, request)));
    expect(await asked).toBeUndefined();
    for (let times = 0; times < 50; times += 1) words.push(await approve(server, request));
    expect(words.filter((word) => word === undefined)).toHaveLength(1);
    expect(words.filter((word) => word !== undefined)).toEqual(Array.from({ length: 99 }, () => NOT_APPROVED));
    expect(scene.done).toEqual(['system.reboot']);
  });

  it('is for the message that was shown: swapped, guessed and kept ones do nothing', async () => {
    const { server, client } = await open();
    const first = ask(client, 'system.reboot', {}, LONG);
    const second = ask(client, 'system.halt', {}, LONG);
    const [one, other] = await parked(server, 2);
    if (one === undefined || other === undefined) throw new Error('two requests are parked');
    expect(await approve(server, { id: one.id, digest: other.digest })).toEqual(NOT_APPROVED);
    expect(await approve(server, { id: other.id, digest: one.digest })).toEqual(NOT_APPROVED);
    expect(await approve(server, { id: one.id, digest: '' })).toEqual(NOT_APPROVED);
    expect(await approve(server, { id: one.id.toLowerCase(), digest: one.digest })).toEqual(NOT_APPROVED);
    expect(await approve(server, { id: '__proto__', digest: one.digest })).toEqual(NOT_APPROVED);
    expect(
      await failure(server.approvals?.approve({ id: one.id } as ApprovalTarget) ?? Promise.resolve()),
    ).toBeInstanceOf(TypeError);
    expect(scene.done).toEqual([]);
    expect(await approve(server, other)).toBeUndefined();
    expect(await second).toBeUndefined();
    await server.approvals?.deny(one);
    expect(await first).toEqual(NOT_APPROVED);
    // The same request once more is another message: the approval of before is not for it.
    const third = ask(client, 'system.halt', {}, LONG);
    const again = await parkedOne(server);
    expect(again.digest).not.toBe(other.digest);
    expect(await approve(server, { id: again.id, digest: other.digest })).toEqual(NOT_APPROVED);
    await server.approvals?.deny(again);
    expect(await third).toEqual(NOT_APPROVED);
    expect(scene.done).toEqual(['system.halt']);
  });

  it('is redeemed for its message alone, once, and not after its time', () => {
    turnable();
    const end = performance.now() + 60_000;
    expect(new Approval('A', 'ab', 'ann', end).redeem('ac')).toMatch(/for another message/);
    const used = new Approval('A', 'ab', 'ann', end);
    expect(used.redeem('ab')).toBeUndefined();
    expect(used.redeem('ab')).toMatch(/was used/);
    const late = new Approval('A', 'ab', 'ann', end);
    vi.advanceTimersByTime(60_000);
    expect(late.redeem('ab')).toMatch(/has expired/);
  });

  it('comes too late after 60 seconds, whatever the requester would wait', async () => {
    const { server, client, notebook } = await open();
    turnable();
    const asked = ask(client, 'system.reboot', {}, LONG);
    const request = await parkedOne(server);
    expect(request.time).toBe(60_000);
    vi.advanceTimersByTime(59_900);
    expect(server.approvals?.list()).toHaveLength(1);
    vi.advanceTimersByTime(200);
    expect(server.approvals?.list()).toHaveLength(0);
    expect(await approve(server, request)).toEqual(NOT_APPROVED);
    expect(await asked).toMatchObject({ code: 'EIPC_NOT_APPROVED', remote: true });
    expect(scene.done).toEqual([]);
    expect(notebook.of('system.reboot').at(-1)?.result).toBe('EIPC_NOT_APPROVED: no operator decided within 60 s');
  });

  it('is void once the deadline of its requester has passed', async () => {
    const { server, client } = await open();
    turnable();
    const asked = ask(client, 'system.reboot', {}, { timeout: 2_000 });
    const request = await parkedOne(server);
    vi.advanceTimersByTime(2_100);
    expect(await approve(server, request)).toEqual(NOT_APPROVED);
    expect(await asked).toMatchObject({ code: expect.stringMatching(/^EIPC_(TIMEOUT|STALE)$/) as unknown });
    expect(scene.done).toEqual([]);
  });

  it('is void once the session of its requester has ended, and a new session of it has no use for it', async () => {
    const { server, client } = await open();
    const asked = ask(client, 'system.reboot', {}, LONG);
    const request = await parkedOne(server);
    await client.close();
    await asked;
    await parked(server, 0);
    const next = await scene.dial(server);
    expect(await approve(server, request)).toEqual(NOT_APPROVED);
    await next.ping();
    expect(scene.done).toEqual([]);
  });

  it('is void when the session ends while it is being recorded', async () => {
    const { server, client, notebook } = await open();
    const asked = ask(client, 'system.reboot', {}, LONG);
    const request = await parkedOne(server);
    let release: () => void = () => undefined;
    notebook.gate = new Promise((resolve) => (release = resolve));
    const word = approve(server, request);
    const endpoint = [...server.endpoints][0];
    await client.close();
    await endpoint?.closed;
    release();
    expect(await word).toMatchObject({ code: 'EIPC_CLOSED' });
    await asked;
    expect(scene.done).toEqual([]);
  });

  it('does not help when the policy says no by now', async () => {
    const policy = examplePolicy();
    const { server, client } = await open(policy);
    const asked = ask(client, 'system.reboot', {}, LONG);
    const request = await parkedOne(server);
    policy.removeRule('system.*');
    expect(await approve(server, request)).toMatchObject({ code: 'EIPC_POLICY' });
    expect(await asked).toMatchObject({ code: 'EIPC_POLICY', remote: true });
    expect(scene.done).toEqual([]);
  });

  it('does not help a requester whose right was taken away meanwhile, until it has it again', async () => {
    const { server, client } = await open();
    const asked = ask(client, 'system.reboot', {}, LONG);
    const request = await parkedOne(server);
    const serviceId = request.peer;
    server.revoke(serviceId, 'system:restricted');
    await approve(server, request);
    expect(await asked).toMatchObject({ code: 'EIPC_CAPABILITY', remote: true });
    expect(scene.done).toEqual([]);
    server.grant(serviceId, 'system:restricted');
    const again = ask(client, 'system.reboot', {}, LONG);
    expect(await approve(server, await parkedOne(server))).toBeUndefined();
    expect(await again).toBeUndefined();
    expect(scene.done).toEqual(['system.reboot']);
  });

  it('waits its turn behind a handler of its type, and expires there', async () => {
    const notebook = new Notebook();
    const server = await scene.serve(notebook);
    const done: string[] = [];
    let finish: () => void = () => undefined;
    server.router?.handle('tool_request', { concurrency: 1 }, async (message) => {
      done.push((message.payload as { tool: string }).tool);
      if (done.length === 1) await new Promise<void>((resolve) => (finish = resolve));
    });
    const client = await scene.dial(server);
    turnable();
    const tool = (name: string): Promise<unknown> =>
      failure(client.request({ type: 'tool_request', payload: { tool: name } }, LONG));
    const busy = tool('ui.paint');
    await expect.poll(() => done).toEqual(['ui.paint']);
    const asked = tool('system.reboot');
    // The turn of a type comes before the policy: what waits for it is not parked yet.
    finish();
    await busy;
    const request = await parkedOne(server);
    const again = tool('ui.paint');
    await again;
    const blocked = tool('ui.wait');
    await blocked;
    done.length = 0;
    const holds = tool('ui.paint');
    await expect.poll(() => done).toEqual(['ui.paint']);
    const word = approve(server, request);
    vi.advanceTimersByTime(60_100);
    finish();
    await holds;
    expect(await word).toEqual(NOT_APPROVED);
    expect(await asked).toEqual(NOT_APPROVED);
    expect(done).toEqual(['ui.paint']);
  });
});

describe('a request that waits for an operator', () => {
  it('is not shown to one when its session ended while it waited for its turn', async () => {
    const notebook = new Notebook();
    const server = await scene.serve(notebook);
    let finish: () => void = () => undefined;
    server.router?.handle('tool_request', { concurrency: 1 }, () => new Promise<void>((resolve) => (finish = resolve)));
    const client = await scene.dial(server);
    await client.send({ type: 'tool_request', payload: { tool: 'ui.paint' } });
    await client.send({ type: 'tool_request', payload: { tool: 'system.reboot' } });
    await client.ping();
    const closed = client.close();
    await expect.poll(() => client.state).not.toBe('open');
    const endpoint = [...server.endpoints][0];
    await expect.poll(() => endpoint?.state).not.toBe('open');
    await closed;
    finish();
    await endpoint?.closed;
    expect(server.approvals?.list()).toEqual([]);
    expect(notebook.of('system.reboot').map(({ decision }) => decision)).toEqual(['deny']);
  });

  it('is refused at once when it leaves no time for a decision', async () => {
    const { server, client } = await open();
    expect(await ask(client, 'system.reboot', {}, { timeout: 900 })).toMatchObject({
      code: 'EIPC_NOT_APPROVED',
      remote: true,
    });
    expect(server.approvals?.list()).toEqual([]);
  });

  it('keeps others from waiting only up to a bound of its service', async () => {
    const { server, client } = await open();
    const all = Array.from({ length: 40 }, () => ask(client, 'system.reboot', {}, LONG));
    await parked(server, 16);
    const refused = (await Promise.all(all.slice(16))) as { code?: string; retryable?: boolean }[];
    expect(refused.map(({ code, retryable }) => [code, retryable])).toEqual(
      Array.from({ length: 24 }, () => ['EIPC_BACKPRESSURE', true]),
    );
    for (const request of server.approvals?.list() ?? []) await server.approvals?.deny(request);
    await Promise.all(all);
    expect(scene.done).toEqual([]);
  });

  it('cannot be doubled under the same request id, and holds nobody up', async () => {
    const { server, client } = await open();
    await client.send({ type: 'intent', requestId: 'x7', payload: { intent: 'system.reboot' } });
    await parkedOne(server);
    await client.send({ type: 'intent', requestId: 'x7', payload: { intent: 'system.reboot' } });
    expect(await ask(client, 'ui.click')).toBeUndefined();
    expect(server.approvals?.list()).toHaveLength(1);
    expect([...server.endpoints][0]?.stats().duplicates).toBe(1);
    const [request] = server.approvals?.list() ?? [];
    if (request !== undefined) await server.approvals?.approve(request);
    expect(scene.done).toEqual(['ui.click', 'system.reboot']);
  });

  it('is asked by every name of its action, and claims give no right to ask', async () => {
    const policy = new PolicyEngine({ aliases: { restart: 'system.reboot' } }).addRule({
      action: 'system.reboot',
      class: 'restricted',
      capability: 'system:restricted',
    });
    const notebook = new Notebook();
    const services = { 'eni.min': { key, capabilities: ['ui:control'] } };
    const server = await scene.serve(notebook, { policy, services });
    const client = await scene.dial(server);
    for (const intent of ['system.reboot', 'restart']) {
      for (const capability of ['', 'ui:control', 'system:restricted'])
        expect(await ask(client, intent, { capability }, LONG)).toMatchObject({ code: 'EIPC_CAPABILITY' });
    }
    expect(scene.done).toEqual([]);
    expect(server.approvals?.list()).toEqual([]);
  });
});

describe('the address of operators', () => {
  const operator = Key.fromBytes(randomBytes(32));
  const tool = (name: string, args?: object): { type: 'tool_request'; priority: 3; payload: object } => ({
    type: 'tool_request',
    priority: 3,
    payload: { tool: `eipc.approvals.${name}`, ...(args === undefined ? {} : { args }) },
  });

  async function desk(): Promise<{
    server: Server;
    client: ClientEndpoint;
    admin: Server;
    ann: ClientEndpoint;
    notebook: Notebook;
  }> {
    const { server, client, notebook } = await open();
    const options = { operators: { ann: { key: operator } }, audit: notebook };
    const address = `memory:admin-${randomBytes(4).toString('hex')}`;
    const admin = scene.closeLater(await serveApprovals(server.approvals, address, options));
    const ann = await scene.dial(admin, { serviceId: 'ann', key: operator });
    return { server, client, admin, ann, notebook };
  }

  it('lists, tells, approves and denies; who did is in the audit before it takes effect', async () => {
    const { server, client, ann, notebook } = await desk();
    expect((await ann.request(tool('watch'))).payload).toMatchObject({ requests: [] });
    const asked = ask(client, 'system.reboot', {}, LONG);
    const request = await parkedOne(server);
    expect((await ann.request(tool('list'))).payload).toMatchObject({ requests: [request] });
    await ann.request(tool('approve', { id: request.id, digest: request.digest }));
    expect(await asked).toBeUndefined();
    const refused = ask(client, 'system.halt', {}, LONG);
    const { id, digest } = await parkedOne(server);
    await ann.request(tool('deny', { id, digest }));
    expect(await refused).toMatchObject({ code: 'EIPC_NOT_APPROVED' });
    expect(scene.done).toEqual(['system.reboot']);
    const events = (await ann.receiveBatch(8)).map(({ payload }) => payload as ApprovalEvent & { event: string });
    while (events.length < 4) events.push((await ann.receive({ timeout: 5_000 })).payload as (typeof events)[number]);
    expect(events.map(({ event, by }) => [event, by])).toEqual([
      ['parked', ''],
      ['approved', 'ann'],
      ['parked', ''],
      ['denied', 'ann'],
    ]);
    const decided = notebook.entries.filter(
      ({ decision, action }) => decision !== 'note' && /approve|deny|system/.test(action),
    );
    expect(decided.map(({ peer, action, decision }) => `${peer} ${decision} ${action}`)).toEqual([
      'eni.min confirm system.reboot',
      'ann allow eipc.approvals.approve',
      'eni.min allow system.reboot',
      'eni.min confirm system.halt',
      'ann allow eipc.approvals.deny',
      'eni.min deny system.halt',
    ]);
  });

  it('knows nothing of other tools, wrong arguments and those who hold another key', async () => {
    const { server, client, admin, ann } = await desk();
    const asked = ask(client, 'system.reboot', {}, LONG);
    const request = await parkedOne(server);
    expect(await failure(ann.request(tool('purge')))).toMatchObject({ code: 'EIPC_POLICY' });
    for (const args of [undefined, {}, { id: request.id }, { id: 7, digest: request.digest }, { ...request }])
      expect(await failure(ann.request(tool('approve', args)))).toMatchObject({ code: 'EIPC_BAD_PAYLOAD' });
    expect(await failure(ann.request({ type: 'intent', payload: { intent: 'system.reboot' } }))).toMatchObject({
      code: 'EIPC_UNKNOWN_TYPE',
    });
    expect(await failure(scene.dial(admin, { serviceId: 'ann', key }))).toMatchObject({
      code: 'EIPC_HANDSHAKE_FAILED',
    });
    expect(await failure(scene.dial(admin, { serviceId: 'eni.min', key }))).toMatchObject({
      code: 'EIPC_HANDSHAKE_FAILED',
    });
    // The tools of operators are none of the server itself.
    expect(await failure(client.request(tool('approve', { id: request.id, digest: request.digest })))).toMatchObject({
      code: 'EIPC_UNKNOWN_TYPE',
    });
    expect(scene.done).toEqual([]);
    await server.approvals?.deny(request);
    await asked;
  });

  it('is nowhere where others could come', async () => {
    const { server, notebook } = await open();
    const options = { operators: { ann: { key: operator } }, audit: notebook };
    for (const address of ['tcp://127.0.0.1:0', 'tls://127.0.0.1:0', 'pipe:admin'])
      expect(await failure(serveApprovals(server.approvals, address, options))).toMatchObject({
        name: 'RangeError',
        message: expect.stringMatching(/use unix:\/path or shm:NAME/) as unknown,
      });
    expect(await failure(serveApprovals(null, 'memory:x', options))).toBeInstanceOf(TypeError);
    expect(
      await failure(serveApprovals(server.approvals, 'memory:x', { ...options, access: {} } as never)),
    ).toBeInstanceOf(TypeError);
  });
});
