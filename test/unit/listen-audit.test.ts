/** `listen({ audit })`: what of a server and its sessions is recorded, and what it costs when nothing can be. */
import { createHash, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

import { AuditLogger, connect, IntentEvent, Key, verifyAudit } from '../../src/index.js';
import type {
  AuditSink,
  ClientEndpoint,
  ConnectOptions,
  ListenOptions,
  LogRecord,
  Message,
  Outgoing,
  Server,
} from '../../src/index.js';
import { FileScene } from '../helpers/file-scene.js';
import { readIndependently } from '../helpers/independent-audit.js';
import { IndependentClient } from '../helpers/independent-client.js';
import { Notebook } from '../helpers/notebook.js';

const secret = randomBytes(32);
const key = Key.fromBytes(secret);
const scene = new FileScene('listen-audit');

async function serve(audit: AuditSink, options: Partial<ListenOptions> = {}, address?: string): Promise<Server> {
  const services = { 'eni.min': { key, capabilities: ['ui:control'] } };
  return scene.listen({ services, audit, ...options }, address);
}

const dial = (server: Server, options: Partial<ConnectOptions> = {}): Promise<ClientEndpoint> =>
  scene.connect(server, { serviceId: 'eni.min', key, ...options });

const failure = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => undefined,
    (error: unknown) => error,
  );
const ask = (client: ClientEndpoint, message: Partial<Outgoing>): Promise<unknown> =>
  failure(client.request({ type: 'intent', payload: { intent: 'ui.click' }, ...message }));

/** The digest of docs/audit.md, written from its text. */
function digestOf(message: Message, typeByte: string, format: number): string {
  const head = Buffer.alloc(28);
  head.write(typeByte, 0, 'latin1');
  head[1] = message.priority;
  head[2] = format;
  head.writeBigUInt64BE(message.sequence, 4);
  head.writeBigUInt64BE(message.timestamp, 12);
  head.writeUInt32BE(message.maxAge, 20);
  head.writeUInt32BE(message.bytes.length, 24);
  const texts = [message.source, message.sessionId, message.requestId, message.capability, message.route].flatMap(
    (text) => [Buffer.from([text.length >> 8, text.length & 0xff]), Buffer.from(text)],
  );
  return createHash('sha256')
    .update(Buffer.concat([Buffer.from('EIPC/2 audit message\0'), head, ...texts, message.bytes]))
    .digest('hex');
}

describe('the audit of a server', () => {
  it('has a line for each session that begins and ends, and who it was', async () => {
    const notebook = new Notebook();
    const server = await serve(notebook, {}, `unix:${join(scene.folder, 'sessions')}`);
    const client = await dial(server);
    const { sessionId } = client.peer;
    await client.close();
    await expect.poll(() => notebook.entries.length).toBe(2);
    const place = `unix:${join(scene.folder, 'sessions')}, uid ${process.getuid?.()}, process ${process.pid}`;
    expect(notebook.entries).toEqual([
      {
        peer: 'eni.min',
        action: 'session.open',
        decision: 'allow',
        result: `EIPC/2 hmac-sha256 over unix at ${place}; key ${key.id}; session ${sessionId}`,
      },
      {
        peer: 'eni.min',
        action: 'session.end',
        decision: 'note',
        result: `EIPC_CLOSED_BY_PEER; session ${sessionId}`,
      },
    ]);
  });

  it('has every decision about an action, with the digest of the message', async () => {
    const notebook = new Notebook();
    const server = await serve(notebook);
    const seen: Message[] = [];
    server.router
      ?.handle('intent', { capability: 'ui:control' }, (message) => void seen.push(message.copy()))
      .handle('tool_request', { capability: 'device:write' }, () => ({}))
      .handle('chat', () => 'hello')
      .handle('features', () => undefined);
    const client = await dial(server);
    await ask(client, { priority: 0, capability: 'ui:control' });
    await ask(client, { type: 'tool_request', payload: { tool: 'motor.move' } });
    await ask(client, { type: 'chat', payload: 'hi' });
    await ask(client, { type: 'complete', payload: 'hi' });
    await client.send({ type: 'features', payload: new Float32Array(2) });
    await client.ping();
    expect(notebook.decisions()).toEqual([
      'allow ui.click',
      'deny motor.move',
      'allow ai.chat.send',
      'deny ai.complete.send',
    ]);
    const [message] = seen;
    if (message === undefined) throw new Error('nothing was handled');
    expect(notebook.of('ui.click')[0]).toEqual({
      peer: 'eni.min',
      action: 'ui.click',
      decision: 'allow',
      result: '',
      requestId: message.requestId,
      frame: digestOf(message, 'i', 0),
    });
    expect(notebook.of('motor.move')[0]?.result).toBe(
      "EIPC_CAPABILITY: 'eni.min' lacks 'device:write' for this tool_request",
    );
    expect(notebook.of('ai.complete.send')[0]?.result).toMatch(/^EIPC_UNKNOWN_TYPE: /);
  });

  it('says what was wrong with a message that was let through, and with one that came too late', async () => {
    const notebook = new Notebook();
    const server = await serve(notebook);
    server.router
      ?.handle('intent', { schema: IntentEvent }, () => {
        throw new Error('the motor is gone');
      })
      .handle('tool_request', () => Promise.reject(new Error('so is the tool')))
      .handle('features', { capability: 'ui:control' }, () => undefined);
    const client = await dial(server);
    await ask(client, { payload: { intent: 'ui.move', confidence: 1 } });
    await ask(client, { type: 'tool_request', payload: {} });
    await ask(client, { payload: 'no intent' });
    await ask(client, { type: 'tool_request', payload: Buffer.from('{'), payloadFormat: 'json' });
    await client.send({ type: 'features', payload: Buffer.alloc(4) });
    await client.ping();
    expect(notebook.entries.slice(1).map(({ action, decision, result }) => [action, decision, result])).toEqual([
      ['ui.move', 'allow', ''],
      ['ui.move', 'note', 'the handler failed: the motor is gone'],
      ['tool_request', 'allow', ''],
      ['tool_request', 'note', 'the handler failed: so is the tool'],
      ['intent', 'allow', ''],
      ['intent', 'note', expect.stringMatching(/^the handler failed: the payload of this intent/)],
      ['tool_request', 'allow', ''],
      ['tool_request', 'note', 'the handler failed: so is the tool'],
      ['features', 'allow', ''],
    ]);
  });

  it('tells a session of v1 by another name, and not its token', async () => {
    const notebook = new Notebook();
    const v1 = Key.fromBytes(randomBytes(32), { protocol: 1 });
    const services = { 'nia.min': { key: v1, capabilities: [], protocols: [1] as const } };
    const server = await serve(notebook, { services });
    const client = await connect(server.addresses[0] ?? '', { serviceId: 'nia.min', key: v1, protocol: 1 });
    const token = client.peer.sessionId;
    expect(token).toHaveLength(64);
    await client.close();
    await expect.poll(() => notebook.entries.length).toBe(2);
    expect(notebook.entries[0]).toMatchObject({
      peer: 'nia.min',
      action: 'session.legacy',
      decision: 'allow',
      result: expect.stringMatching(/^v1 by challenge over memory at /) as unknown,
    });
    expect(JSON.stringify(notebook.entries)).not.toContain(token.slice(0, 16));
  });

  it('has the precise reason where the peer is told one and the same', async () => {
    // The attackers: one without a key, one with another's id, and one that changes a bit of what it sends.
    const notebook = new Notebook();
    const path = join(scene.folder, 'refused');
    await serve(notebook, { router: null }, `unix:${path}`);
    await failure(connect(`unix:${path}`, { serviceId: 'eni.min', key: randomBytes(32) }));
    await failure(connect(`unix:${path}`, { serviceId: 'eni.other', key }));
    await expect.poll(() => notebook.of('session.refuse').length).toBe(2);
    for (const { peer, decision, result } of notebook.of('session.refuse'))
      expect({ peer, decision, result }).toEqual({
        peer: '',
        decision: 'deny',
        result: expect.stringMatching(/: EIPC_HANDSHAKE_FAILED: .*unknown service or key, or a wrong tag/) as unknown,
      });
    const client = await IndependentClient.open(path, { psk: secret, serviceId: 'eni.min' });
    client.send({ type: 'i', payload: '{}', counter: 7n });
    await expect.poll(() => notebook.of('session.end').length).toBe(1);
    expect(notebook.of('session.end')[0]).toMatchObject({
      peer: 'eni.min',
      decision: 'deny',
      result: expect.stringMatching(/^EIPC_REPLAY: EIPC_SEQUENCE: /) as unknown,
    });
    client.destroy();
  });

  it('has those for whom there was no room', async () => {
    const notebook = new Notebook();
    const server = await serve(notebook, { maxConnections: 1 }, `unix:${join(scene.folder, 'room')}`);
    await dial(server);
    await failure(dial(server));
    await expect.poll(() => notebook.of('connection.refuse').length).toBe(1);
    expect(notebook.of('connection.refuse')[0]).toMatchObject({
      peer: '',
      decision: 'deny',
      result: expect.stringMatching(/was closed: refusedConnections, at unix:/) as unknown,
    });
  });

  it('is filled by nobody who is refused: refusals beyond some are counted in the next line', async () => {
    // The attacker holds a key and asks for what it may not have, as fast as it can.
    const notebook = new Notebook();
    const server = await serve(notebook);
    server.router?.handle('intent', { capability: 'device:write' }, () => ({}));
    const client = await dial(server);
    for (let batch = 0; batch < 20; batch += 1)
      await Promise.all(Array.from({ length: 50 }, () => ask(client, { payload: { intent: 'motor.move' } })));
    expect([...server.endpoints][0]?.stats().denied).toBe(1_000);
    const recorded = notebook.of('motor.move');
    expect(recorded.length).toBeGreaterThanOrEqual(64);
    expect(recorded.length).toBeLessThan(1_000);
    await client.close();
    await expect.poll(() => notebook.of('session.end').length).toBe(1);
    const counted = notebook.entries
      .flatMap(({ result = '' }) => /^\((\d+) refusals before this one were only counted\)/.exec(result)?.[1] ?? [])
      .reduce((sum, number) => sum + Number(number), 0);
    expect(recorded.length + counted).toBe(1_000);
  });

  it('records what is allowed however often that is', async () => {
    const notebook = new Notebook();
    const server = await serve(notebook);
    server.router?.handle('intent', () => ({}));
    const client = await dial(server);
    for (let batch = 0; batch < 20; batch += 1) await Promise.all(Array.from({ length: 50 }, () => ask(client, {})));
    expect(notebook.of('ui.click')).toHaveLength(1_000);
  });

  it('that cannot be written is told of once and counted, and keeps nobody waiting', async () => {
    const records: LogRecord[] = [];
    let isBroken = true;
    const sink: AuditSink = {
      log: ({ action }) => {
        if (!isBroken) return Promise.resolve();
        if (action === 'session.open') throw new Error('thrown');
        return Promise.reject(new Error('the disk is full'));
      },
    };
    const server = await serve(sink, { logger: (record) => records.push(record) });
    server.router?.handle('intent', () => ({}));
    const client = await dial(server);
    for (let times = 0; times < 3; times += 1) expect(await ask(client, {})).toBeUndefined();
    expect(server.stats().auditFailures).toBe(4);
    isBroken = false;
    await ask(client, {});
    isBroken = true;
    await ask(client, {});
    expect(server.stats().auditFailures).toBe(5);
    const failures = records.filter(({ event }) => event === 'audit-failed');
    expect(failures.map(({ level, text }) => [level, text])).toEqual([
      ['error', 'the audit cannot be written: thrown'],
      ['error', 'the audit cannot be written: the disk is full'],
    ]);
  });

  it('is a log that verifies, over shared memory and with what a hostile peer wrote', async () => {
    const path = join(scene.folder, 'audit.log');
    const logger = await AuditLogger.open(path, { key: secret });
    const server = await serve(logger, {}, `shm:${join(scene.folder, 'story')}`);
    server.router?.handle('intent', () => ({ status: 'ok' }));
    const client = await dial(server);
    const forged = 'ui.click"}\n{"i":4,"decision":"allow","action":"system.reboot';
    await ask(client, { payload: { intent: forged }, capability: 'ui:control' });
    await ask(client, { type: 'chat', payload: '\u202e\u001b[2J' });
    await client.close();
    await server.close();
    await logger.close();
    const entries = readIndependently(readFileSync(path, 'latin1'), secret);
    expect(entries.map(({ action, decision }) => [action, decision])).toEqual([
      ['audit.begin', 'note'],
      ['session.open', 'allow'],
      [forged, 'allow'],
      ['ai.chat.send', 'deny'],
      ['session.end', 'note'],
    ]);
    expect((await verifyAudit(path, { key: secret })).fault).toBeUndefined();
  });
});
