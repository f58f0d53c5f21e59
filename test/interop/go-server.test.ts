// Programs of Go as servers for our client, over TCP and Unix sockets: what the strict sender writes meets encoding/json, and the other way.
import { describe, expect, it } from 'vitest';

import { ClientEndpoint, Router, tcp, unix } from '../../src/index.js';
import type { Priority } from '../../src/index.js';
import { codeOf, GoScene, KEY, TEXTS, TYPES, WAYS } from '../helpers/go-scene.js';
import { readV1Frame, v1Frame, v1Header } from '../helpers/independent-v1-frames.js';

const scene = new GoScene();

const jsonOf = (payload: Buffer): unknown => JSON.parse(payload.toString());

describe.each(WAYS)('our client at a server of Go over %s', (way) => {
  it('logs in, and each type of message passes in both directions', async () => {
    const { client, go } = await scene.visit(way, { serverId: 'eipc-server' });
    expect(client.granted).toEqual(['ui:control']);
    expect(client.peer).toMatchObject({ serviceId: 'eipc-server', protocol: 1, suite: 'v1-mac' });
    const { sessionId } = client.peer;
    expect(sessionId).toMatch(/^[0-9a-f]{64}$/);
    for (const [index, [type, byte]] of TYPES.entries()) {
      const priority = (index % 4) as Priority;
      const fields = { priority, capability: 'ui:control', route: 'eai.tools' } as const;
      await client.send({ type, ...fields, requestId: `r${index}`, payload: Buffer.of(index) });
      const frame = await go.expect(byte);
      expect(frame.header).toMatchObject({
        ...fields,
        service_id: 'nia.min',
        session_id: sessionId,
        request_id: `r${index}`,
        sequence: String(3 + index), // 1 and 2 were the login's
        payload_format: 0,
      });
      expect(frame.payload).toEqual(Buffer.of(index));

      await go.send(byte, { ...fields, payload: Buffer.of(index, 255), payload_format: 1 });
      const message = await client.receive({ timeout: 5_000 });
      expect(message).toMatchObject({ type, ...fields, source: 'eipc-server', sessionId, payloadFormat: 'msgpack' });
      expect(Buffer.from(message.bytes)).toEqual(Buffer.of(index, 255));
    }
    await go.close();
    expect(await client.closed).toEqual({ code: 'EIPC_CLOSED_BY_PEER', undelivered: 0 });
  });

  it('writes what Go itself writes, byte for byte', async () => {
    const { client, go } = await scene.visit(way);
    for (const text of TEXTS.filter((one) => !/[\0-\x1f\x7f]/.test(one))) {
      await client.send({ type: 'chat', requestId: text, capability: text, route: text, payload: text });
      const { bytes, header, payload } = await go.expect('c');
      expect([header.request_id, header.capability, header.route, jsonOf(payload)]).toEqual([text, text, text, text]);
      // The third reading of the protocol's text, which shares no code with either.
      expect(readV1Frame(bytes, KEY).header.request_id).toBe(text);
      expect(v1Frame('c', v1Header({ ...header, sequence: BigInt(header.sequence) }), payload, KEY)).toEqual(bytes);
    }
    for (const text of TEXTS) {
      await go.send('c', { request_id: text, capability: text, route: text, payload: JSON.stringify(text) });
      const message = await client.receive();
      expect([message.requestId, message.capability, message.route, message.payload]).toEqual([text, text, text, text]);
    }
  });

  it('has its requests answered as the original answers: an ack without code or priority', async () => {
    const { client, go } = await scene.visit(way);
    const asked = client.request({
      type: 'intent',
      priority: 0,
      capability: 'ui:control',
      payload: { intent: 'stop' },
    });
    const { header } = await go.expect('i');
    await go.send('a', {
      request_id: header.request_id,
      payload: JSON.stringify({ request_id: header.request_id, status: 'ok' }),
    });
    expect((await asked).payload).toEqual({ request_id: header.request_id, status: 'ok' });

    const refused = client.request({ type: 'tool_request', payload: { tool: 'motor' } });
    refused.catch(() => undefined);
    const { request_id } = (await go.expect('t')).header;
    await go.send('a', { request_id, payload: JSON.stringify({ request_id, status: 'error', error: 'not allowed' }) });
    await expect(refused).rejects.toMatchObject({ remote: true });
    // A heartbeat is not answered there, and nobody waits for it.
    await client.send({ type: 'heartbeat', payload: { service: 'nia.min', status: 'alive' } });
    expect((await go.expect('h')).header.request_id).toBe('');
  });

  it('answers what a server of Go asks', async () => {
    const router = new Router();
    router.handle('tool_request', () => ({ level: 3 }));
    const { go } = await scene.visit(way, { router });
    await go.send('t', { request_id: 'a&b', payload: '{"tool":"device.status"}' });
    const ack = await go.expect('a');
    expect([ack.header.request_id, jsonOf(ack.payload)]).toEqual([
      'a&b',
      { status: 'ok', level: 3, request_id: 'a&b' },
    ]);
  });

  it('logs in by the old form, four times ack, where it is told to', async () => {
    const { client, go } = await scene.visit(way, { v1: { handshakeTypes: 'ack' } });
    await go.send('c', { payload: '"hello"' });
    expect((await client.receive()).payload).toBe('hello');
  });

  it('needs no login where the key alone is enough, as in the quick start', async () => {
    const { client, go } = await scene.visit(way, { auth: 'mac' });
    await client.send({ type: 'intent', payload: { intent: 'stop' } });
    expect((await go.expect('i')).header).toMatchObject({ sequence: '1', session_id: '', service_id: 'nia.min' });
    await go.send('a', { payload: '{"request_id":"","status":"ok"}' });
    expect(await client.receive()).toMatchObject({ source: 'eipc-server', payload: { status: 'ok' } });

    const listener = await scene.listen(way);
    const dialled = (way === 'tcp' ? tcp() : unix()).dial(listener.address);
    const other = await listener.accept(KEY);
    const endpoint = new ClientEndpoint(await dialled, { key: KEY });
    await endpoint.send({ type: 'intent', source: 'nia.min', payload: {} });
    expect((await other.expect('i')).header).toMatchObject({ service_id: 'nia.min', sequence: '1' });
    await other.send('a', { payload: '{"request_id":"","status":"ok"}' });
    expect((await endpoint.receive()).payload).toEqual({ request_id: '', status: 'ok' });
    await Promise.all([endpoint.close(), other.close()]);
  });

  it('sends and gets payloads of every size up to the limits of both', async () => {
    const { client, go } = await scene.visit(way);
    for (const priority of [0, 1, 2, 3] as const)
      for (const size of [0, 1, client.maxPayload(priority)]) {
        await client.send({ type: 'features', priority, payload: Buffer.alloc(size, priority) });
        const { payload } = await go.expect('f');
        expect([payload.length, payload.every((byte) => byte === priority)]).toEqual([size, true]);
      }
    for (const size of [0, 1, 65_536, 1_000_000]) {
      await go.send('f', { priority: 3, payload: Buffer.alloc(size, 7) });
      const { bytes } = await client.receive();
      expect([bytes.length, bytes.every((byte) => byte === 7)]).toEqual([size, true]);
    }
    const tooLarge = Buffer.alloc(client.maxPayload(3) + 1);
    expect(() => client.send({ type: 'features', priority: 3, payload: tooLarge })).toThrow('than priority 3 takes');
  });

  it('takes acks without a token only where it is told to', async () => {
    for (const [sessionId, code] of [
      ['when-present', undefined],
      ['always', 'EIPC_IDENTITY'],
    ] as const) {
      const { client, go } = await scene.visit(way, { v1: { sessionId } });
      await go.send('a', { session_id: '', payload: '{"request_id":"","status":"ok"}' });
      if (code === undefined) expect((await client.receive()).payload).toEqual({ request_id: '', status: 'ok' });
      else expect(codeOf(await client.closed)).toBe(code);
    }
  });
});
