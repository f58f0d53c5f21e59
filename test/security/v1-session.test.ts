// Open sessions of v1, attacked: forged, changed, reflected and repeated frames, headers that two readers read differently, stolen and old
// sessions. For each the session ends with its own code, and no handler has run.
import { describe, expect, it } from 'vitest';

import { ClientEndpoint, connect, Router, ServerEndpoint } from '../../src/index.js';
import { flip } from '../helpers/independent-scene.js';
import type { IndependentV1Connection } from '../helpers/independent-v1-connection.js';
import type { V1Sending } from '../helpers/independent-v1-connection.js';
import { IndependentV1Server } from '../helpers/independent-v1-server.js';
import { QueueConnection } from '../helpers/queue-connection.js';
import { codeOf, KEYS, V1Scene } from '../helpers/v1-scene.js';

const scene = new V1Scene();
const KEY = KEYS['nia.min'];
const INTENT = { request_id: 'req-1', capability: 'ui:control', payload: '{"intent":"move_left"}' } as const;

/** Has a logged-in client do something, and returns how the server's end of it ended. Nothing may have been handled. */
async function endAfter(attack: (client: IndependentV1Connection) => void): Promise<string> {
  const server = await scene.serve();
  const { client, endpoint } = await scene.open(server);
  const before = [...scene.handled];
  attack(client);
  // Whatever comes after it is not looked at.
  client.send('i', INTENT);
  const code = codeOf(await endpoint.closed);
  expect(scene.handled).toEqual(before);
  expect(await client.untilEnd()).toEqual([]);
  return code;
}

function sent(type: string, sending: V1Sending): (client: IndependentV1Connection) => void {
  return (client) => void client.send(type, { ...INTENT, ...sending });
}

describe('a frame of an open session', () => {
  it('that is right is handled, so that the others were refused for what they are', async () => {
    const server = await scene.serve();
    const { client } = await scene.open(server);
    client.send('i', INTENT);
    expect((await client.expect('a')).header.request_id).toBe('req-1');
    expect(scene.handled).toEqual(['nia.min: {"intent":"move_left"}']);
  });

  // The attacker is on the way and has no key.
  it.each([
    ['without flag and tag', 'EIPC_INTEGRITY', { flags: 0, tag: 'none' }],
    ['without its flag, the tag still there', 'EIPC_INTEGRITY', { flags: 0 }],
    ['with a tag of zeros', 'EIPC_INTEGRITY', { tag: Buffer.alloc(32) }],
    ['with the tag of another key', 'EIPC_INTEGRITY', { key: KEYS['ail.framework'] }],
    ['with half a tag', 'EIPC_FRAME_TRUNCATED', { tag: Buffer.alloc(16) }],
    ['with a byte behind its tag', 'EIPC_TRAILING_BYTES', { tag: Buffer.alloc(33) }],
  ] as const)('%s is not taken', async (_, code, lies) => {
    expect(await endAfter(sent('i', lies))).toBe(code);
  });

  it('with any of its bits changed is not taken', async () => {
    const server = await scene.serve({ maxConnections: 1_000 });
    const { client: first } = await scene.open(server);
    const bits = first.build('i', INTENT).length * 8;
    // Every bit of the preamble, and a sample of all others.
    const chosen = Array.from({ length: bits }, (_, bit) => bit).filter((bit) => bit < (4 + 16) * 8 || bit % 37 === 0);
    for (const bit of chosen) {
      const { client, endpoint } = await scene.open(server);
      client.sendBytes(flip(client.build('i', INTENT), bit));
      client.end();
      expect(codeOf(await endpoint.closed), `bit ${bit}`).toMatch(
        /^EIPC_(?:INTEGRITY|BAD_MAGIC|BAD_VERSION|UNSUPPORTED_FLAGS|FRAME_TOO_LARGE|FRAME_TRUNCATED|TRAILING_BYTES|TRUNCATED)$/,
      );
      client.destroy();
    }
    expect(scene.handled).toEqual([]);
    expect(chosen.length).toBeGreaterThan(200);
  });

  // The attacker holds the key, and makes right tags.
  it.each([2, 4, 8, 16, 32, 64, 128])('with the flag %i is not taken, also under a right tag', async (flag) => {
    expect(await endAfter(sent('i', { flags: 1 | flag }))).toBe('EIPC_UNSUPPORTED_FLAGS');
  });

  it.each([1, 16, 32, 64])('with %i bytes behind it inside its length is not taken', async (extra) => {
    const code = await endAfter((client) => {
      const frame = client.build('i', INTENT);
      const longer = Buffer.concat([frame, Buffer.alloc(extra)]);
      longer.writeUInt32BE(frame.length - 4 + extra, 0);
      client.sendBytes(longer);
    });
    expect(code).toBe('EIPC_TRAILING_BYTES');
  });

  it.each(Array.from('AHRXES?\0I'))('of the type %j has no place', async (type) => {
    expect(await endAfter(sent(type, {}))).toBe('EIPC_UNSUPPORTED_TYPE');
  });

  it.each([0, 2, 3, 257])('of version %i has none either', async (version) => {
    expect(await endAfter(sent('i', { version }))).toBe('EIPC_BAD_VERSION');
  });
});

describe('a header', () => {
  const withMember = (member: string) => (client: IndependentV1Connection) => {
    const header = `{"service_id":"nia.min","session_id":"${client.token}","request_id":"r","sequence":3,"timestamp":"0","priority":0,${member}"payload_format":0}`;
    client.send('i', { headerBytes: header, payload: '{}' });
  };

  // The attacker holds a key and wants two readers to see two different capabilities.
  it.each([
    '"capability":"ui:control","capability":"device:write",',
    '"capability":"ui:control","Capability":"device:write",',
    '"CAPABILITY":"device:write",',
    '"capability":"ui:control","capabil\\u0069ty":"device:write",',
    '"\u017fervice_id":"ail.framework",',
    '"Service_ID":"ail.framework",',
    '"x":1,"X":2,',
    '"x":{"v":1,"V":2},',
    '"capability":null,',
    '"capability":["ui:control"],',
    '"capability":"ui\\u0000control",',
    '"capability":"\\ud800",',
    '"route":7,',
    '"x":1.5,',
    '"x":[[[[]]]],',
    '"priority":0,',
  ])('with the member %s is refused', async (member) => {
    expect(await endAfter(withMember(member))).toBe('EIPC_BAD_HEADER');
  });

  it.each([
    ['sequence', '"03"'],
    ['sequence', '03'],
    ['sequence', '3.0'],
    ['sequence', '-3'],
    ['sequence', '18446744073709551616'],
    ['priority', '4'],
    ['payload_format', '2'],
    ['timestamp', '"2026-02-30T12:00:00Z"'],
    ['timestamp', '"noon"'],
    ['timestamp', '1775217600'],
  ])('whose %s is %s is refused', async (name, value) => {
    const code = await endAfter((client) => {
      const fields: Record<string, string> = {
        sequence: '3',
        timestamp: '"0"',
        priority: '0',
        payload_format: '0',
        [name]: value,
      };
      const members = Object.entries(fields).map(([key, text]) => `"${key}":${text}`);
      const header = `{"service_id":"nia.min","session_id":"${client.token}",${members.join(',')}}`;
      client.send('i', { headerBytes: header, payload: '{}' });
    });
    expect(code).toBe('EIPC_BAD_HEADER');
  });

  it('that names another service, nobody, or this server is refused', async () => {
    for (const [service_id, code] of [
      ['ail.framework', 'EIPC_IDENTITY'],
      ['NIA.MIN', 'EIPC_IDENTITY'],
      ['', 'EIPC_IDENTITY'],
      ['eipc-server', 'EIPC_REFLECTION'],
    ] as const)
      expect(await endAfter(sent('i', { service_id })), service_id).toBe(code);
  });

  it('with a string that no message can keep is refused', async () => {
    expect(await endAfter(sent('i', { request_id: 'x'.repeat(256) }))).toBe('EIPC_BAD_HEADER');
    const server = await scene.serve();
    const { client } = await scene.open(server);
    client.send('i', { ...INTENT, request_id: 'x'.repeat(255) });
    expect((await client.expect('a')).header.request_id).toBe('x'.repeat(255));
  });

  // The attacker holds a key and writes what would be a line of its own in a log.
  it('is told back as it came, escaped, and never changes what a log says', async () => {
    const server = await scene.serve();
    const { client } = await scene.open(server);
    const id = 'x\n{"event":"connected"}\u001b[2J\u2028';
    client.send('i', { ...INTENT, request_id: id });
    expect((await client.expect('a')).header.request_id).toBe(id);
    expect(scene.records.filter(({ text }) => text.includes('\n') || text.includes('\u001b'))).toEqual([]);
  });
});

describe('a frame that is repeated', () => {
  // The attacker is on the way: it records frames and plays them again, where and when it likes.
  it('in its session is refused', async () => {
    const server = await scene.serve();
    const { client, endpoint } = await scene.open(server);
    const frame = client.send('i', INTENT);
    await client.expect('a');
    client.sendBytes(frame);
    expect(codeOf(await endpoint.closed)).toBe('EIPC_REPLAY');
    expect(scene.handled).toHaveLength(1);
  });

  it('in another session of the same key is refused', async () => {
    const server = await scene.serve();
    const { client: recorded } = await scene.open(server);
    const frame = recorded.send('i', INTENT);
    await recorded.expect('a');
    const { client, endpoint } = await scene.open(server);
    client.sendBytes(frame);
    expect(codeOf(await endpoint.closed)).toBe('EIPC_IDENTITY');
    expect(scene.handled).toHaveLength(1);
  });

  it('after the window has moved on is refused, and one that was only overtaken is not', async () => {
    const server = await scene.serve();
    const { client, endpoint } = await scene.open(server);
    client.send('i', { ...INTENT, sequence: 200n });
    for (const sequence of [199n, 73n]) client.send('i', { ...INTENT, sequence });
    for (let n = 0; n < 3; n += 1) await client.expect('a');
    client.send('i', { ...INTENT, sequence: 72n });
    expect(codeOf(await endpoint.closed)).toBe('EIPC_REPLAY');
    expect(scene.handled).toHaveLength(3);
    expect(await endAfter(sent('i', { sequence: 0n }))).toBe('EIPC_REPLAY');
    expect(await endAfter(sent('i', { sequence: 2n }))).toBe('EIPC_REPLAY');
  });

  it('to the one who sent it is refused, at either end', async () => {
    const server = await scene.serve();
    const { client, endpoint } = await scene.open(server);
    await endpoint.send({ type: 'chat', payload: 'from the server' });
    client.sendBytes((await client.nextBytes()) ?? Buffer.alloc(0));
    expect(codeOf(await endpoint.closed)).toBe('EIPC_REFLECTION');

    await using mirror = await IndependentV1Server.listen(scene.newAddress(), KEY, async (peer) => {
      await peer.login();
      for (let frame = await peer.nextBytes(); frame !== undefined; frame = await peer.nextBytes())
        peer.sendBytes(frame);
    });
    const router = new Router().handle('intent', () => scene.handled.push('reflected') > 0);
    const victim = await connect(mirror.address, { protocol: 1, serviceId: 'nia.min', key: KEY, router });
    await expect(victim.request({ type: 'intent', payload: {} })).rejects.toMatchObject({ code: 'EIPC_REFLECTION' });
    expect(codeOf(await victim.closed)).toBe('EIPC_REFLECTION');
    expect(scene.handled).toEqual([]);
  });

  it('to a client is refused too', async () => {
    await using server = await IndependentV1Server.listen(scene.newAddress(), KEY, async (peer) => {
      await peer.login();
      const frame = peer.send('i', { payload: '{}' });
      await peer.expect('a');
      peer.sendBytes(frame);
      return peer.untilEnd();
    });
    const router = new Router().handle('intent', () => void scene.handled.push('handled'));
    const victim = await connect(server.address, { protocol: 1, serviceId: 'nia.min', key: KEY, router });
    expect(codeOf(await victim.closed)).toBe('EIPC_REPLAY');
    expect(scene.handled).toEqual(['handled']);
  });
});

describe('a session', () => {
  // The attacker holds the key and knows or guesses tokens.
  it.each([
    ['nothing', ''],
    ['the token of another session', 'other'],
    ['a part of the token', 'part'],
    ['the token in capitals', 'capitals'],
  ])('is not joined with %s for a token', async (_, kind) => {
    const server = await scene.serve();
    const { client: other } = await scene.open(server);
    const { client, endpoint } = await scene.open(server);
    const tokens = {
      '': '',
      other: other.token,
      part: client.token.slice(0, 63),
      capitals: client.token.toUpperCase(),
    };
    expect(Object.values(tokens)).not.toContain(client.token);
    client.send('i', { ...INTENT, session_id: tokens[kind as keyof typeof tokens] });
    expect(codeOf(await endpoint.closed)).toBe('EIPC_IDENTITY');
    expect(scene.handled).toEqual([]);
  });

  it('checks the token of every frame, not only of the first', async () => {
    const server = await scene.serve();
    const { client, endpoint } = await scene.open(server);
    for (let n = 0; n < 10; n += 1) {
      client.send('i', INTENT);
      await client.expect('a');
    }
    client.send('i', { ...INTENT, session_id: '' });
    expect(codeOf(await endpoint.closed)).toBe('EIPC_IDENTITY');
    expect(scene.handled).toHaveLength(10);
  });

  it('ends when its time is over, live and in use', async () => {
    const server = await scene.serve({ sessionTtl: 200 });
    const { client, endpoint } = await scene.open(server);
    let sending = true;
    void endpoint.closed.then(() => (sending = false));
    let sentCount = 0;
    while (sending) {
      client.send('i', INTENT);
      sentCount += 1;
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(await endpoint.closed).toMatchObject({ code: 'EIPC_EXPIRED', error: { code: 'EIPC_EXPIRED' } });
    const handled = scene.handled.length;
    expect(handled).toBeGreaterThan(0);
    expect(handled).toBeLessThanOrEqual(sentCount);
    expect(server.endpoints.size).toBe(0);
    await client.untilEnd();
    expect(scene.handled).toHaveLength(handled);
  });

  it('ends at once when the server ends it, whatever its client goes on sending', async () => {
    const server = await scene.serve();
    const { client } = await scene.open(server);
    client.send('i', INTENT);
    await client.expect('a');
    const ends = server.endpointsOf('nia.min').map((endpoint) => endpoint.close({ timeout: 200 }));
    for (let n = 0; n < 10; n += 1) client.send('i', INTENT);
    await Promise.all(ends);
    expect(scene.handled).toHaveLength(1);
    expect(server.endpoints.size).toBe(0);
    expect(await client.untilEnd()).toEqual([]);
  });

  it('has no right that the server’s table does not give, whatever a frame claims', async () => {
    const server = await scene.serve();
    server.router?.handle('tool_request', { capability: 'device:write' }, () => {
      scene.handled.push('device');
      return {};
    });
    const { client } = await scene.open(server);
    for (const capability of ['', 'ui:control', 'device:write']) {
      client.send('t', { request_id: 'x', capability, payload: '{}' });
      const ack = await client.expect('a');
      expect(JSON.parse(ack.payload.toString()), capability).toMatchObject({
        status: 'error',
        code: 'EIPC_CAPABILITY',
      });
    }
    expect(scene.handled).toEqual([]);
  });
});

describe('an endpoint made of a connection', () => {
  // The attacker is on the way and has no key.
  it('takes no frame whose flag and tag are gone', async () => {
    const [left, right] = QueueConnection.pair();
    const client = new ClientEndpoint(left, { key: KEY, serviceId: 'nia.min' });
    await client.send({ type: 'intent', payload: {} });
    const frame = Buffer.from((await right.receive()) ?? []);
    frame[7] = 0;
    const [attacker, exposed] = QueueConnection.pair();
    const router = new Router().handle('intent', () => void scene.handled.push('handled'));
    const server = new ServerEndpoint(exposed, { key: KEY, router });
    await attacker.send(frame.subarray(0, -32));
    expect(codeOf(await server.closed)).toBe('EIPC_INTEGRITY');
    expect(scene.handled).toEqual([]);
    await client.close();
  });

  it('takes none of its own, and none twice', async () => {
    for (const [replay, code] of [
      ['own', 'EIPC_REFLECTION'],
      ['twice', 'EIPC_REPLAY'],
    ] as const) {
      const [left, right] = QueueConnection.pair();
      const [ours, theirs] = QueueConnection.pair();
      const sender = new ClientEndpoint(left, { key: KEY, serviceId: 'nia.min' });
      const receiver = new ServerEndpoint(theirs, { key: KEY, ...(replay === 'own' ? { serverId: 'nia.min' } : {}) });
      await sender.send({ type: 'chat', payload: 1 });
      const frame = (await right.receive()) ?? Buffer.alloc(0);
      await ours.send(frame);
      if (replay === 'twice') await ours.send(frame);
      expect(codeOf(await receiver.closed)).toBe(code);
      await sender.close();
    }
  });
});
