// Programs of Go as clients of our server, over TCP and Unix sockets: what encoding/json and net make of v1 meets the strict reader.
import { describe, expect, it } from 'vitest';

import { Router } from '../../src/index.js';
import type { LogRecord, Priority, ServerEndpoint } from '../../src/index.js';
import { GoScene, ID, KEY, TEXTS, TYPES, WAYS } from '../helpers/go-scene.js';

const scene = new GoScene();

const jsonOf = (payload: Buffer): unknown => JSON.parse(payload.toString());

describe.each(WAYS)('a client of Go at our server over %s', (way) => {
  it('logs in, and each type of message passes in both directions', async () => {
    const records: LogRecord[] = [];
    const { go, endpoint, token } = await scene.guest(way, { logger: (record) => records.push(record) });
    expect(token).toMatch(/^[0-9a-f]{64}$/);
    expect(endpoint.peer).toMatchObject({ serviceId: 'nia.min', protocol: 1, suite: 'v1-mac', sessionId: token });
    expect(records.filter(({ event }) => event === 'legacy')).toHaveLength(1);
    for (const [index, [type, byte]] of TYPES.entries()) {
      const priority = (index % 4) as Priority;
      const [format, number] = index % 2 === 0 ? (['json', 0] as const) : (['msgpack', 1] as const);
      // With a request id a heartbeat would be answered and go no further, and the other two are replies, which nobody waits for here.
      const requestId = ['heartbeat', 'ack', 'policy_result'].includes(type) ? '' : `q${index}`;
      const header = { capability: 'ui:control', route: 'eai.tools', priority, payload_format: number };
      await go.send(byte, { ...header, request_id: requestId, payload: Buffer.of(index) });
      const message = await endpoint.receive({ timeout: 5_000 });
      expect(message).toMatchObject({
        type,
        priority,
        source: 'nia.min',
        capability: 'ui:control',
        route: 'eai.tools',
        requestId,
        sessionId: token,
        payloadFormat: format,
      });
      expect(Buffer.from(message.bytes)).toEqual(Buffer.of(index));
      expect(Number(message.timestamp / 1_000_000n)).toBeGreaterThan(1_700_000_000_000);

      const back = { type, priority, capability: 'device:read', route: 'eni', requestId: `r${index}` } as const;
      await endpoint.send({ ...back, payload: Buffer.of(index, 255) });
      const frame = await go.expect(byte);
      expect(frame.header).toMatchObject({
        service_id: 'eipc-server',
        session_id: token,
        request_id: `r${index}`,
        priority,
        capability: 'device:read',
        route: 'eni',
        payload_format: 0,
      });
      expect(frame.payload).toEqual(Buffer.of(index, 255));
    }
    await go.close();
    expect(await endpoint.closed).toEqual({ code: 'EIPC_CLOSED_BY_PEER', undelivered: 0 });
  });

  it('gets the acks of the original: an intent one, a heartbeat none, an error its text', async () => {
    const router = new Router();
    router.handle('intent', { capability: 'ui:control' }, ({ payload }) => ({ echo: payload }));
    router.handle('heartbeat', () => undefined);
    const { go } = await scene.guest(way, { router });
    await go.send('h', { payload: '{"service":"nia.min","status":"alive"}', priority: 2 });
    await go.send('i', { request_id: 'req-1', capability: 'ui:control', payload: '{"intent":"move_left"}' });
    const ack = await go.expect('a');
    expect(ack.header).toMatchObject({ service_id: 'eipc-server', request_id: 'req-1', priority: 0 });
    expect(jsonOf(ack.payload)).toEqual({ request_id: 'req-1', status: 'ok', echo: { intent: 'move_left' } });
    // A ping of ours, which the original has no use for.
    await go.send('h', { request_id: 'ping-1' });
    expect(jsonOf((await go.expect('a')).payload)).toEqual({ request_id: 'ping-1', status: 'ok' });
    await go.send('i', { capability: 'system:restricted', payload: '{}' });
    const error = { request_id: '', status: 'error', error: expect.any(String) as string, code: 'EIPC_CAPABILITY' };
    expect(jsonOf((await go.expect('a')).payload)).toEqual(error);
  });

  it('answers what our server asks: by an ack, a policy result or the type of the question', async () => {
    const { go, endpoint } = await scene.guest(way);
    for (const reply of ['a', 'p', 'c']) {
      const asked = endpoint.request({ type: 'chat', payload: { prompt: 'hello' } });
      const { request_id } = (await go.expect('c')).header;
      await go.send(reply, { request_id, payload: JSON.stringify({ request_id, status: 'ok', reply }) });
      expect((await asked).payload).toEqual({ request_id, status: 'ok', reply });
    }
  });

  it('logs in by the old form, four times ack, where that is allowed', async () => {
    const { go, endpoint } = await scene.guest(way, { v1: { handshakeTypes: 'ack' } });
    await go.send('c', { payload: '"hello"' });
    expect((await endpoint.receive()).payload).toBe('hello');
    const strict = await scene.serve(way);
    await expect((await scene.knock(strict)).logIn({ allAck: true })).rejects.toThrow(/EOF|reset/);
    // Where it is allowed, the ordinary one is too.
    const both = await scene.serve(way, { v1: { handshakeTypes: 'ack' } });
    expect((await (await scene.knock(both)).logIn()).capabilities).toEqual(['ui:control', 'device:read']);
  });

  it('logs in with either key of a service whose key is being changed', async () => {
    const keys = [KEY, Buffer.from('the key that comes after it')];
    const services = { [ID]: { key: keys, capabilities: [], protocols: [1] } } as const;
    const server = await scene.serve(way, { services });
    for (const key of keys) await (await scene.knock(server, key)).logIn();
    await expect.poll(() => server.endpointsOf(ID)).toHaveLength(2);
  });

  it('needs no login where the key of its first frame is enough', async () => {
    const server = await scene.serve(way, { auth: 'mac' });
    const accepted = server[Symbol.asyncIterator]().next();
    const go = await scene.knock(server);
    await go.send('i', { request_id: 'req-1', session_id: 'of my own', payload: '{}' });
    const { value } = (await accepted) as IteratorYieldResult<ServerEndpoint>;
    expect(await value.receive()).toMatchObject({ type: 'intent', source: 'nia.min', sessionId: 'of my own' });
    await value.send({ type: 'ack', requestId: 'req-1', payload: { request_id: 'req-1', status: 'ok' } });
    expect((await go.expect('a')).header).toMatchObject({ session_id: '', sequence: '1' });
  });

  it('sends and gets ids of every kind of character', async () => {
    const { go, endpoint } = await scene.guest(way);
    for (const text of TEXTS) {
      await go.send('c', { request_id: text, capability: text, route: text, payload: JSON.stringify(text) });
      const message = await endpoint.receive();
      expect([message.requestId, message.capability, message.route, message.payload]).toEqual([text, text, text, text]);
      if (/[\0-\x1f\x7f]/.test(text)) continue; // taken, and told back, but no message of ours begins with it
      await endpoint.send({ type: 'chat', requestId: text, capability: text, route: text, payload: text });
      const frame = await go.expect('c');
      expect([frame.header.request_id, frame.header.capability, frame.header.route]).toEqual([text, text, text]);
      expect(jsonOf(frame.payload)).toBe(text);
    }
  });

  it('sends and gets payloads of every size up to the limit of a frame', async () => {
    const { go, endpoint } = await scene.guest(way);
    let count = 100;
    const send = (size: number): Promise<Buffer> => {
      count += 1; // always three digits, so that every header has the same length
      const header = { priority: 3, sequence: String(count), timestamp: '2026-04-03T12:00:00Z' };
      return go.send('f', { ...header, payload: Buffer.alloc(size, size & 255) });
    };
    const prefixAndRest = (await send(0)).length;
    expect((await endpoint.receive()).bytes).toHaveLength(0);
    const largest = 4 + (1 << 20) - prefixAndRest;
    for (const size of [1, 255, 4_096, 65_535, 65_536, 262_144, largest]) {
      expect((await send(size)).length).toBe(prefixAndRest + size);
      const { bytes } = await endpoint.receive();
      expect([bytes.length, bytes.every((byte) => byte === (size & 255))]).toEqual([size, true]);
    }
    for (const priority of [0, 1, 2, 3] as const)
      for (const size of [0, 1, endpoint.maxPayload(priority)]) {
        const payload = Buffer.alloc(size, priority);
        await endpoint.send({ type: 'features', priority, payload });
        const frame = await go.expect('f');
        expect([frame.header.priority, frame.payload.equals(payload)]).toEqual([priority, true]);
      }
    expect(endpoint.maxPayload(3)).toBe((1 << 20) - 48 - 4_096);
  });

  it('writes time as Go does: with an offset, with nine digits, without any, and as the year 1', async () => {
    const { go, endpoint } = await scene.guest(way);
    for (const [timestamp, unixNs] of [
      ['2026-04-03T14:30:00.5+02:30', 1_775_217_600_500_000_000n],
      ['2026-04-03T12:00:00.123456789Z', 1_775_217_600_123_456_789n],
      ['2026-04-03T12:00:00Z', 1_775_217_600_000_000_000n],
      ['0001-01-01T00:00:00Z', 0n], // a time.Time that was never set: none
      ['1775217600', 1_775_217_600_000_000_000n], // the C SDK
    ] as const) {
      await go.send('h', { timestamp });
      expect((await endpoint.receive()).timestamp).toBe(unixNs);
    }
  });

  it('may have frames overtake each other inside of the window', async () => {
    const { go, endpoint } = await scene.guest(way);
    for (const sequence of ['200', '199', '73', '100', '18446744073709551615'])
      await go.send('c', { sequence, payload: sequence });
    for (const sequence of [200, 199, 73, 100]) expect((await endpoint.receive()).payload).toBe(sequence);
    expect((await endpoint.receive()).sequence).toBe(2n ** 64n - 1n);
  });
});
