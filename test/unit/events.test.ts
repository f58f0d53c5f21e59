// Every kind of event: what it takes, what it refuses and with which words, and that a router can check payloads with it.
import * as v from 'valibot';
import { describe, expect, it } from 'vitest';

import {
  AckEvent,
  AuditEvent,
  ChatRequestEvent,
  ChatResponseEvent,
  CompleteRequestEvent,
  CompleteResponseEvent,
  createMessage,
  FeatureStreamEvent,
  HeartbeatEvent,
  IntentEvent,
  PolicyResultEvent,
  Router,
  ToolRequestEvent,
} from '../../src/index.js';
import type { StandardSchema } from '../../src/index.js';
import { makePair } from './fake-link.js';

interface Kind extends StandardSchema {
  readonly type: string;
  create(fields: unknown): object;
  parse(payload: unknown): object;
}

/** Kind, type of its messages, the least it takes, everything it takes, and what it refuses. */
const KINDS: readonly (readonly [string, unknown, string, object, object, readonly object[]])[] = [
  [
    'IntentEvent',
    IntentEvent,
    'intent',
    { intent: 'move_left', confidence: 0.91 },
    { intent: 'x', confidence: 0, session_id: 's', parameters: { deep: [1] } },
    [
      { intent: '' },
      { intent: 1 },
      { confidence: 1.01 },
      { confidence: -0.01 },
      { confidence: NaN },
      { parameters: 1 },
    ],
  ],
  [
    'FeatureStreamEvent',
    FeatureStreamEvent,
    'features',
    { features: { alpha: 0.1 } },
    { features: {}, timestamp: 0, sample_rate: 256 },
    [
      { features: { a: 'b' } },
      { features: { a: Infinity } },
      { features: null },
      { sample_rate: 0 },
      { timestamp: -1 },
    ],
  ],
  [
    'ToolRequestEvent',
    ToolRequestEvent,
    'tool_request',
    { tool: 'light' },
    { tool: 'light', args: { on: true }, permission: 'p', audit_id: 'a' },
    [{ tool: '' }, { args: 'on' }, { permission: 1 }],
  ],
  [
    'AckEvent',
    AckEvent,
    'ack',
    { request_id: 'c1', status: 'ok' },
    { request_id: '', status: 'error', error: 'no', code: 'EIPC_POLICY' },
    [{ status: '' }, { request_id: 1 }],
  ],
  [
    'PolicyResultEvent',
    PolicyResultEvent,
    'policy_result',
    { request_id: 'c1', allowed: false },
    { request_id: 'c1', allowed: true, action: 'ui.click', reason: 'safe' },
    [{ allowed: 'true' }, { allowed: 1 }],
  ],
  [
    'HeartbeatEvent',
    HeartbeatEvent,
    'heartbeat',
    { service: 'eni', status: 'alive' },
    { service: 'eni', status: 'stopping', uptime: 5 },
    [{ status: 'dead' }, { uptime: -1 }, { service: '' }],
  ],
  [
    'AuditEvent',
    AuditEvent,
    'audit',
    { source: 'eni', action: 'ui.click', decision: 'allow' },
    { source: '', action: 'a', decision: 'confirm', request_id: 'c1', result: 'r', timestamp: 't' },
    [{ decision: 'maybe' }, { action: '' }],
  ],
  [
    'ChatRequestEvent',
    ChatRequestEvent,
    'chat',
    { prompt: '' },
    { prompt: 'hello', session_id: 's', model: 'm', max_tokens: 5 },
    [{ prompt: 1 }, { max_tokens: 1.5 }, { max_tokens: -1 }],
  ],
  [
    'ChatResponseEvent',
    ChatResponseEvent,
    'chat',
    { response: 'hi' },
    { response: 'hi', session_id: 's', model: 'm', tokens_used: 0 },
    [{ response: null }, { tokens_used: '1' }],
  ],
  [
    'CompleteRequestEvent',
    CompleteRequestEvent,
    'complete',
    { prompt: 'a' },
    { prompt: 'a', model: 'm', max_tokens: 1, temperature: 2 },
    [{ temperature: 2.1 }, { temperature: -0.1 }],
  ],
  [
    'CompleteResponseEvent',
    CompleteResponseEvent,
    'complete',
    { completion: 'b' },
    { completion: 'b', model: 'm', tokens_used: 9 },
    [{ completion: 1 }],
  ],
];

describe.each(KINDS)('%s', (name, value, type, least, most, wrong) => {
  const kind = value as Kind;

  it('belongs to its message type and takes what it should', () => {
    expect(kind.type).toBe(type);
    for (const fields of [least, most]) {
      expect(kind.create(fields)).toEqual(fields);
      expect(kind.create(fields)).not.toBe(fields);
      expect(kind.parse(JSON.parse(JSON.stringify(fields)))).toEqual(fields);
    }
  });

  it('needs every field that is not optional', () => {
    for (const field of Object.keys(least)) {
      const { [field as never]: _, ...rest } = least;
      expect(() => kind.create(rest)).toThrow(new RegExp(`^${name}: '${field}'`));
      expect(() => kind.parse(rest)).toThrow(expect.objectContaining({ code: 'EIPC_BAD_PAYLOAD' }) as Error);
    }
  });

  it('refuses what is wrong, naming the field', () => {
    for (const fields of wrong) {
      const [field = ''] = Object.keys(fields);
      expect(() => kind.create({ ...most, ...fields })).toThrow(TypeError);
      expect(() => kind.parse({ ...most, ...fields })).toThrow(new RegExp(`${name}: '${field}`));
    }
    for (const payload of [null, undefined, 'text', 5, []])
      expect(() => kind.parse(payload)).toThrow(expect.objectContaining({ code: 'EIPC_BAD_PAYLOAD' }) as Error);
  });

  it('leaves out what it does not know of a peer, and refuses to send it', () => {
    expect(kind.parse({ ...most, added_later: 1 })).toEqual(most);
    expect(() => kind.create({ ...most, added_later: 1 })).toThrow(/added_later/);
  });
});

describe('a handler with a schema', () => {
  it('runs only with payloads that fit, and says which field does not', async () => {
    const seen: string[] = [];
    const router = new Router().handle('intent', { schema: IntentEvent }, ({ payload }) => {
      seen.push(payload.intent);
      return { status: 'done' };
    });
    const { client, server } = makePair({}, { router });
    const good = await client.request({ type: 'intent', payload: { intent: 'left', confidence: 1 } });
    expect(good.payload).toMatchObject({ status: 'done' });
    const bad = client.request({ type: 'intent', payload: { intent: 'left', confidence: 2 } });
    await expect(bad).rejects.toMatchObject({ code: 'EIPC_BAD_PAYLOAD', remote: true });
    expect(seen).toEqual(['left']);
    expect(server.stats().failed).toBe(1);
  });

  it('takes a schema that answers later, and one of a callable kind', async () => {
    const later = v.pipeAsync(
      v.string(),
      v.checkAsync((text) => Promise.resolve(text === 'right'), 'not right'),
    );
    const callable = Object.assign(() => {}, { '~standard': v.number()['~standard'] });
    const router = new Router()
      .handle('chat', { schema: later }, () => 'taken')
      .handle('audit', { schema: callable }, () => ({}));
    const { client } = makePair({}, { router });
    expect((await client.request({ type: 'chat', payload: 'right' })).payload).toBe('taken');
    await expect(client.request({ type: 'chat', payload: 'left' })).rejects.toMatchObject({ code: 'EIPC_BAD_PAYLOAD' });
    await expect(client.request({ type: 'audit', payload: 'x' })).rejects.toMatchObject({ code: 'EIPC_BAD_PAYLOAD' });
    await client.request({ type: 'audit', payload: 1 });
  });

  it('names only the first issues of a payload that has many', async () => {
    const router = new Router().handle('chat', { schema: v.array(v.string()) }, () => '');
    const message = createMessage('chat', 'x', [1, 2, 3, 4, 5], { requestId: 'r' });
    const result = await router.dispatch(message, makePair().server.peer);
    expect(result.outcome).toBe('failed');
    expect((result.error as Error).message).toMatch(/'0':.*'1':.*'2':.*; and 2 more/);
  });

  it('refuses what is no schema', () => {
    for (const schema of [null, {}, 'intent', { '~standard': null }, { '~standard': { validate: 1 } }])
      expect(() => new Router().handle('chat', { schema: schema as never }, () => '')).toThrow(/Standard Schema/);
  });
});
