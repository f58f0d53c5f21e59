// Logging in to v1, attacked: an oracle for tags, another service's identity, somebody else's challenge.
import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';

import { connect } from '../../src/index.js';
import { hmac, withPrefix } from '../helpers/independent-preamble.js';
import type { IndependentV1Client } from '../helpers/independent-v1-client.js';
import { payloadOf } from '../helpers/independent-v1-connection.js';
import { v1Frame, v1Header, v1Signable } from '../helpers/independent-v1-frames.js';
import type { IndependentV1Peer } from '../helpers/independent-v1-server.js';
import { IndependentV1Server } from '../helpers/independent-v1-server.js';
import { KEYS, V1Scene } from '../helpers/v1-scene.js';

const scene = new V1Scene();
const KEY = KEYS['nia.min'];
const hexOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
/** A frame of 32 signable bytes: preamble and sixteen bytes of payload. */
const signableOf32 = v1Signable('i', Buffer.alloc(0), Buffer.from('0123456789abcdef'));
/** The signable bytes of an intent that a server would take. */
const signableIntent = v1Signable(
  'i',
  v1Header({ service_id: 'nia.min', sequence: 3n, capability: 'ui:control' }),
  Buffer.from('{"intent":"move_left"}'),
);

describe('a client that is asked for a tag', () => {
  const good = hexOf(Buffer.alloc(32, 7));
  // The attacker is a server that has the key of this one service, or of nobody, and wants tags for frames of its choice.
  const shapes: readonly (readonly [string, (peer: IndependentV1Peer) => void])[] = [
    ['the signable bytes of an intent', (peer) => peer.challenge(hexOf(signableIntent))],
    ['32 bytes that are the signable bytes of a frame', (peer) => peer.challenge(hexOf(signableOf32))],
    [
      '32 bytes that begin as a frame does',
      (peer) => peer.challenge(hexOf(Buffer.concat([Buffer.from('EIPC'), Buffer.alloc(28, 1)]))),
    ],
    ['31 bytes', (peer) => peer.challenge(hexOf(Buffer.alloc(31, 7)))],
    ['33 bytes', (peer) => peer.challenge(hexOf(Buffer.alloc(33, 7)))],
    ['no bytes', (peer) => peer.challenge('')],
    ['text that is no hexadecimal', (peer) => peer.challenge('g'.repeat(64))],
    ['a list of bytes', (peer) => peer.challenge([...Buffer.alloc(32, 7)])],
    [
      'two nonces, of which one is hidden by its case',
      (peer) =>
        void peer.send('H', { payload: `{"status":"challenge","nonce":"${good}","NONCE":"${hexOf(signableOf32)}"}` }),
    ],
    [
      'a good nonce without a tag',
      (peer) => void peer.send('H', { payload: { status: 'challenge', nonce: good }, flags: 0, tag: 'none' }),
    ],
    [
      'a good nonce under another key',
      (peer) => void peer.send('H', { payload: { status: 'challenge', nonce: good }, key: KEYS.stranger }),
    ],
    [
      'a good nonce in a frame of another type',
      (peer) => void peer.send('i', { payload: { status: 'challenge', nonce: good } }),
    ],
  ];

  it.each(shapes)('answers nothing to %s', async (_, ask) => {
    await using server = await IndependentV1Server.listen(scene.newAddress(), KEY, async (peer) => {
      await peer.expect('A');
      ask(peer);
      return peer.untilEnd();
    });
    const options = { protocol: 1, serviceId: 'nia.min', key: KEY } as const;
    await expect(connect(server.address, options)).rejects.toMatchObject({
      code: expect.stringMatching(/^EIPC_/) as string,
    });
    expect(await server.results[0]).toEqual([]);
  });

  it('answers a challenge that is none of these, so that the others were refused for what they are', async () => {
    await using server = await IndependentV1Server.listen(scene.newAddress(), KEY, async (peer) => {
      await peer.expect('A');
      peer.challenge(good);
      const answer = await peer.expect('R');
      peer.end();
      return payloadOf(answer)['response'];
    });
    await expect(connect(server.address, { protocol: 1, serviceId: 'nia.min', key: KEY })).rejects.toThrow();
    expect(await server.results[0]).toBe(hexOf(hmac(KEY, Buffer.alloc(32, 7))));
  });

  it('answers one challenge, not a second one', async () => {
    await using server = await IndependentV1Server.listen(scene.newAddress(), KEY, async (peer) => {
      await peer.expect('A');
      peer.challenge(good);
      await peer.expect('R');
      peer.challenge(hexOf(Buffer.alloc(32, 8)));
      return peer.untilEnd();
    });
    await expect(connect(server.address, { protocol: 1, serviceId: 'nia.min', key: KEY })).rejects.toMatchObject({
      code: 'EIPC_UNSUPPORTED_TYPE',
    });
    expect(await server.results[0]).toEqual([]);
  });
});

describe('a server of v1', () => {
  /** What a client that claims an id is told, and how it ends. */
  async function denial(client: IndependentV1Client, id: string, headerId: string): Promise<unknown> {
    client.send('A', { service_id: headerId, payload: { service_id: id }, request_id: 'login' });
    const frame = await client.next();
    const { service_id, session_id, request_id, priority } = frame?.header ?? {};
    return [
      frame?.type,
      frame?.payload.toString(),
      { service_id, session_id, request_id, priority },
      await client.next(),
    ];
  }

  // The attacker is a service of this server and wants to be another, or to learn which there are.
  it('denies one service’s key with another’s id, 1 000 times of 1 000, as it denies an unknown id', async () => {
    const server = await scene.serve();
    const told = { 'ail.framework': new Set<string>(), 'nobody.knows': new Set<string>() };
    for (let n = 0; n < 500; n += 1) {
      for (const id of ['ail.framework', 'nobody.knows'] as const) {
        const client = await scene.peer(server);
        // The lie is in header and claim, or in the claim alone; only then is there a header to answer.
        told[id].add(JSON.stringify(await denial(client, id, n % 2 === 0 ? id : 'nia.min')));
        client.destroy();
      }
    }
    const header = { service_id: 'eipc-server', session_id: '', request_id: '', priority: 0 };
    const text = '{"status":"denied","error":"authentication failed"}';
    expect([...told['ail.framework']]).toEqual([
      JSON.stringify(['R', text, header, undefined]),
      JSON.stringify(['R', text, { ...header, request_id: 'login' }, undefined]),
    ]);
    expect(told['nobody.knows']).toEqual(told['ail.framework']);
    expect(server.stats()).toMatchObject({ handshakeFailures: 1_000, authenticated: 0, open: 0 });
  });

  it('by the key alone does not answer another’s id at all', async () => {
    const server = await scene.serve({ auth: 'mac' });
    for (const [count, id] of ['ail.framework', 'nobody.knows', 'eipc-server'].entries()) {
      const client = await scene.peer(server);
      client.send('i', { service_id: id, payload: '{}' });
      expect(await client.untilEnd()).toEqual([]);
      expect(await scene.handshakeFailure(server, count + 1)).toBe(
        id === 'eipc-server' ? 'EIPC_REFLECTION' : 'EIPC_IDENTITY',
      );
    }
    expect(scene.handled).toEqual([]);
  });

  // The attacker has no key.
  it.each(['challenge', 'mac'] as const)('answers nothing to a stranger’s first frame, %s', async (auth) => {
    const server = await scene.serve({ auth });
    const type = auth === 'mac' ? 'i' : 'A';
    for (const [count, lies] of [
      { key: KEYS.stranger },
      { flags: 0, tag: 'none' },
      { tag: Buffer.alloc(32) },
    ].entries()) {
      const client = await scene.peer(server);
      client.send(type, { payload: { service_id: 'nia.min' }, ...lies } as object);
      expect(await client.untilEnd()).toEqual([]);
      expect(await scene.handshakeFailure(server, count + 1)).toBe('EIPC_INTEGRITY');
    }
    expect(scene.handled).toEqual([]);
  });

  it('takes 100 logins of one service at once', async () => {
    const server = await scene.serve({ maxConnections: 128, maxUnauthenticated: 128 });
    const clients = await Promise.all(Array.from({ length: 100 }, () => scene.peer(server)));
    // Every challenge is out before the first answer comes, and answers come in another order.
    const nonces = await Promise.all(clients.map((client) => client.challenge()));
    expect(new Set(nonces.map(hexOf)).size).toBe(100);
    for (const [n, client] of clients.entries()) client.answer(nonces[n] ?? Buffer.alloc(0));
    const results = await Promise.all(clients.reverse().map((client) => client.expect('R')));
    const tokens = new Set(results.map((result) => payloadOf(result)['session_token']));
    expect([tokens.size, server.stats().authenticated]).toEqual([100, 100]);
  });

  // The attacker is the same service, or another, and answers where another's challenge waits.
  it('has a challenge burnt by nobody but who was asked', async () => {
    const server = await scene.serve();
    const honest = await scene.peer(server);
    const nonce = await honest.challenge();
    for (let n = 0; n < 20; n += 1) {
      const attacker = await scene.peer(server, n % 2 === 0 ? 'nia.min' : 'ail.framework');
      await attacker.challenge();
      attacker.answer(n % 4 < 2 ? nonce : randomBytes(32));
      expect(payloadOf(await attacker.expect('R'))['status']).toBe('denied');
    }
    honest.answer(nonce);
    const { status, session_token: token } = payloadOf(await honest.expect('R'));
    expect(status).toBe('ok');
    honest.token = String(token);
    honest.send('i', { request_id: 'x', payload: 'still me' });
    expect((await honest.expect('a')).header.request_id).toBe('x');
  });

  // The attacker recorded a login of the service and plays it again.
  it('takes a challenge’s answer once, and in no other connection', async () => {
    const server = await scene.serve();
    const recorded = await scene.peer(server);
    const hello = recorded.build('A', { payload: { service_id: 'nia.min' }, request_id: 'login-1' });
    recorded.sendBytes(hello);
    const nonce = Buffer.from(String(payloadOf(await recorded.expect('H'))['nonce']), 'hex');
    const answer = recorded.build('R', {
      payload: { service_id: 'nia.min', response: hexOf(hmac(KEY, nonce)) },
      request_id: 'login-2',
    });
    recorded.sendBytes(answer);
    expect(payloadOf(await recorded.expect('R'))['status']).toBe('ok');

    const replay = await scene.peer(server);
    replay.sendBytes(hello);
    await replay.expect('H');
    replay.sendBytes(answer);
    expect(payloadOf(await replay.expect('R'))['status']).toBe('denied');
    expect(await replay.untilEnd()).toEqual([]);
    const { endpoint, client } = await scene.open(server);
    client.sendBytes(answer);
    expect((await endpoint.closed).error?.code).toBe('EIPC_UNSUPPORTED_TYPE');
  });

  it('reads the claim as strictly as a header', async () => {
    const server = await scene.serve();
    const claims = [
      '{"service_id":"nia.min","Service_id":"ail.framework"}',
      '{"service_id":"nia.min","service_id":"nia.min"}',
      '{"SERVICE_ID":"nia.min"}',
      '{"\u017fervice_id":"nia.min"}',
      '{"service_id":null}',
      '["nia.min"]',
      '{}',
    ];
    for (const [count, payload] of claims.entries()) {
      const client = await scene.peer(server);
      client.send('A', { payload });
      expect(payloadOf(await client.expect('R'))['status'], payload).toBe('denied');
      expect(await scene.handshakeFailure(server, count + 1), payload).toBe('EIPC_BAD_PAYLOAD');
    }
  });

  it('has no message before the login is over', async () => {
    const server = await scene.serve();
    const early = await scene.peer(server);
    early.send('i', { payload: '{}' });
    expect(await early.untilEnd()).toEqual([]);
    expect(await scene.handshakeFailure(server)).toBe('EIPC_UNSUPPORTED_TYPE');
    const between = await scene.peer(server);
    await between.challenge();
    between.send('i', { payload: '{}' });
    expect(await between.untilEnd()).toEqual([]);
    expect(await scene.handshakeFailure(server, 2)).toBe('EIPC_UNSUPPORTED_TYPE');
    // Nor one in the same chunk as a wrong answer.
    const eager = await scene.peer(server);
    const nonce = await eager.challenge();
    const wrong = eager.build('R', { payload: { service_id: 'nia.min', response: hexOf(nonce) } });
    eager.sendBytes(Buffer.concat([wrong, eager.build('i', { payload: '{}' })]));
    expect(payloadOf(await eager.expect('R'))['status']).toBe('denied');
    expect(await eager.untilEnd()).toEqual([]);
    expect(scene.handled).toEqual([]);
  });
});

describe('a client of v1', () => {
  // The attacker is a server without the key, or one that the client did not ask for.
  it.each([
    [
      'a denial under another key',
      'EIPC_INTEGRITY',
      (peer: IndependentV1Peer) => peer.send('R', { payload: { status: 'denied' }, key: KEYS.stranger }),
    ],
    [
      'a denial',
      'EIPC_HANDSHAKE_FAILED',
      (peer: IndependentV1Peer) => peer.send('R', { payload: { status: 'denied' } }),
    ],
    [
      'a login without a challenge',
      'EIPC_HANDSHAKE_FAILED',
      (peer: IndependentV1Peer) => peer.send('R', { payload: { status: 'ok', session_token: 'x'.repeat(64) } }),
    ],
    ['its own frame', 'EIPC_UNSUPPORTED_TYPE', (peer: IndependentV1Peer, hello: Buffer) => peer.sendBytes(hello)],
    [
      'the challenge of another server id',
      'EIPC_IDENTITY',
      (peer: IndependentV1Peer) =>
        peer.send('H', { service_id: 'somebody', payload: { status: 'challenge', nonce: '07'.repeat(32) } }),
    ],
  ])('is not let in by %s', async (_, code, act) => {
    await using server = await IndependentV1Server.listen(scene.newAddress(), KEY, async (peer) => {
      const hello = await peer.nextBytes();
      act(peer, hello ?? Buffer.alloc(0));
      return peer.untilEnd();
    });
    const options = { protocol: 1, serviceId: 'nia.min', serverId: 'eipc-server', key: KEY } as const;
    await expect(connect(server.address, options)).rejects.toMatchObject({ code });
    expect(await server.results[0]).toEqual([]);
  });

  it('gives up on a server that never says the login is over', async () => {
    await using server = await IndependentV1Server.listen(scene.newAddress(), KEY, async (peer) => {
      await peer.expect('A');
      peer.challenge('07'.repeat(32));
      await peer.expect('R');
      return peer.untilEnd();
    });
    const options = { protocol: 1, serviceId: 'nia.min', key: KEY, handshakeTimeout: 100 } as const;
    await expect(connect(server.address, options)).rejects.toMatchObject({ code: 'EIPC_TIMEOUT' });
  });

  it.each(['', 'x'.repeat(257)])('takes no token of the wrong length', async (token) => {
    await using server = await IndependentV1Server.listen(scene.newAddress(), KEY, async (peer) => {
      await peer.expect('A');
      peer.challenge('07'.repeat(32));
      await peer.expect('R');
      peer.send('R', { payload: { status: 'ok', session_token: token, capabilities: [] } });
      return peer.untilEnd();
    });
    const options = { protocol: 1, serviceId: 'nia.min', key: KEY } as const;
    await expect(connect(server.address, options)).rejects.toMatchObject({ code: 'EIPC_HANDSHAKE_FAILED' });
  });
});

describe('the frames of these tests', () => {
  it('are what the text says, so that a refusal means what it seems to mean', () => {
    expect(signableOf32).toHaveLength(32);
    const frame = v1Frame('i', v1Header({ service_id: 'nia.min', sequence: 3n, timestamp: '0' }), Buffer.alloc(0), KEY);
    expect(withPrefix(frame).readUInt32BE(0)).toBe(frame.length);
  });
});

describe('a server of v1 that is flooded with a recorded first frame', () => {
  it('cuts those who send it like everybody who has proven nothing, and honest clients get in', async () => {
    // The attacker has no key, and has seen one login: the first frame of v1 carries nothing that makes it new.
    const server = await scene.serve({ maxUnauthenticated: 4 });
    for (let n = 0; n < 24; n += 1) await (await scene.peer(server)).challenge();
    await expect.poll(() => server.stats().handshaking, { timeout: 10_000, interval: 1 }).toBe(4);
    expect(server.stats().refusedUnauthenticated).toBe(20);
    const client = await connect(server.addresses[0] ?? '', { protocol: 1, serviceId: 'nia.min', key: KEY });
    expect(client.state).toBe('open');
    await client.close();
  });
});
