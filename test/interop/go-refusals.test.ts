// What an honest or hostile program of Go writes and ours refuses, over TCP and Unix sockets, in both roles. Nothing of it is handled.
import { describe, expect, it } from 'vitest';

import { ReplayTracker } from '../../src/index.js';
import type { GoSending } from '../helpers/go-peer.js';
import { codeOf, GoScene, ID, KEY, STRANGER, WAYS } from '../helpers/go-scene.js';
import { Dice } from '../helpers/scene.js';

const scene = new GoScene();

/** A header that is right, with a member more: what the original's reader takes, and how it reads it, is its own affair. */
const headerWith =
  (member: string, encoding: 'utf8' | 'latin1' = 'utf8') =>
  (token: string, id = ID): GoSending => {
    const required = `"service_id":"${id}","session_id":"${token}","sequence":3,"timestamp":"0","priority":0`;
    return { lies: { header: Buffer.from(`{${required},${member}}`, encoding) } };
  };

type Refused = readonly [what: string, code: string, type: string, sending: (token: string, id?: string) => GoSending];

/** The peer holds the key, or sits where one that holds it sends: frames that the original takes. */
const TAKEN_BY_THE_ORIGINAL: readonly Refused[] = [
  ['without tag and flag', 'EIPC_INTEGRITY', 'i', () => ({ lies: { flags: 0, noTag: true } })],
  ['without the flag, the tag left behind', 'EIPC_INTEGRITY', 'i', () => ({ lies: { flags: 0 } })],
  ['with the flag of compression', 'EIPC_UNSUPPORTED_FLAGS', 'i', () => ({ lies: { flags: 3 } })],
  ['with the flag of encryption', 'EIPC_UNSUPPORTED_FLAGS', 'i', () => ({ lies: { flags: 5 } })],
  ['with a flag that nobody knows', 'EIPC_UNSUPPORTED_FLAGS', 'i', () => ({ lies: { flags: 0x81 } })],
  ['with bytes behind its tag', 'EIPC_TRAILING_BYTES', 'i', () => ({ lies: { behind: Buffer.alloc(7) } })],
  ['of a type that nobody knows', 'EIPC_UNSUPPORTED_TYPE', '?', () => ({})],
  ['of the login', 'EIPC_UNSUPPORTED_TYPE', 'A', () => ({ payload: `{"service_id":"${ID}"}` })],
  ['of a close that v1 has not', 'EIPC_UNSUPPORTED_TYPE', 'X', () => ({})],
  ['with a key in capitals', 'EIPC_BAD_HEADER', 'i', headerWith('"Capability":"ui:control"')],
  ['with a key twice', 'EIPC_BAD_HEADER', 'i', headerWith('"route":"a","route":"b"')],
  ['with the key ſervice_id', 'EIPC_BAD_HEADER', 'i', headerWith('"\u017fervice_id":"nia.min"')],
  ['with null', 'EIPC_BAD_HEADER', 'i', headerWith('"route":null')],
  ['with NUL in a string', 'EIPC_BAD_HEADER', 'i', headerWith('"route":"\\u0000"')],
  ['with half a surrogate pair', 'EIPC_BAD_HEADER', 'i', headerWith('"route":"\\ud83e"')],
  ['with a number that has a point', 'EIPC_BAD_HEADER', 'i', headerWith('"x":1.5')],
  ['nested five deep', 'EIPC_BAD_HEADER', 'i', headerWith('"x":[[[[1]]]]')],
  ['without a time', 'EIPC_BAD_HEADER', 'i', () => ({ timestamp: '' })],
  ['with a day that does not exist', 'EIPC_BAD_HEADER', 'i', () => ({ timestamp: '2026-02-30T12:00:00Z' })],
  ['with twelve digits of seconds', 'EIPC_BAD_HEADER', 'i', () => ({ timestamp: '177521760000' })],
  ['with the priority 4', 'EIPC_BAD_HEADER', 'i', () => ({ priority: 4 })],
  ['with the payload format 2', 'EIPC_BAD_HEADER', 'i', () => ({ payload_format: 2 })],
  ['with bytes that are no UTF-8', 'EIPC_BAD_HEADER', 'i', headerWith('"x":"\xff"', 'latin1')],
  ['with null for a header', 'EIPC_BAD_HEADER', 'i', () => ({ lies: { header: 'null' } })],
  ['with a header of nothing but braces', 'EIPC_BAD_HEADER', 'i', () => ({ lies: { header: '{}' } })],
  ['with an id of 256 bytes', 'EIPC_BAD_HEADER', 'i', () => ({ request_id: 'x'.repeat(256) })],
  ['with a header of 4 097 bytes', 'EIPC_FRAME_TOO_LARGE', 'i', () => ({ lies: { header: padded(4_097) } })],
  ['under another service’s id', 'EIPC_IDENTITY', 'i', () => ({ service_id: 'ail.framework' })],
  ['under nobody’s id', 'EIPC_IDENTITY', 'i', () => ({ service_id: '' })],
  ['without its token', 'EIPC_IDENTITY', 'i', () => ({ session_id: '' })],
  ['with another token', 'EIPC_IDENTITY', 'i', () => ({ session_id: '0'.repeat(64) })],
  ['with the number 0', 'EIPC_REPLAY', 'i', () => ({ sequence: '0' })],
  ['with the number of the login', 'EIPC_REPLAY', 'i', () => ({ sequence: '1' })],
];

/** What nobody takes. */
const TAKEN_BY_NOBODY: readonly Refused[] = [
  ['under another key', 'EIPC_INTEGRITY', 'i', () => ({ lies: { key: STRANGER } })],
  ['of version 2', 'EIPC_BAD_VERSION', 'i', () => ({ lies: { version: 2 } })],
  ['with another magic', 'EIPC_BAD_MAGIC', 'i', () => ({ lies: { magic: 'EIPX' } })],
  ['that is shorter than it says', 'EIPC_FRAME_TRUNCATED', 'i', () => ({ lies: { payloadLength: 1_000 } })],
  ['with a length that wraps', 'EIPC_FRAME_TOO_LARGE', 'i', () => ({ lies: { payloadLength: 0xffff_ffe0 } })],
  ['behind a prefix of 2^20 + 1', 'EIPC_FRAME_TOO_LARGE', 'i', () => ({ lies: { prefix: (1 << 20) + 1 } })],
  ['behind a prefix of 2^32 - 1', 'EIPC_FRAME_TOO_LARGE', 'i', () => ({ lies: { prefix: 0xffff_ffff } })],
  ['behind a prefix of 15', 'EIPC_FRAME_TRUNCATED', 'i', () => ({ lies: { prefix: 15 } })],
  ['whose header is no JSON', 'EIPC_BAD_HEADER', 'i', () => ({ lies: { header: '{"service_id":' } })],
  ['with a string where a number belongs', 'EIPC_BAD_HEADER', 'i', headerWith('"payload_format":"0"')],
];

/** A header of so many bytes. */
function padded(length: number, token = ''): string {
  const header = `{"service_id":"${ID}","session_id":"${token}","sequence":3,"timestamp":"0","priority":0,"padding":""}`;
  return header.replace(/""}$/, `"${'x'.repeat(length - header.length)}"}`);
}

describe.each(WAYS)('over %s', (way) => {
  describe.each([
    ['the original would take', TAKEN_BY_THE_ORIGINAL],
    ['nobody takes', TAKEN_BY_NOBODY],
  ] as const)('a frame that %s', (_, rows) => {
    // The attacker holds the key of a session, or is where its frames pass.
    it.each(rows)('%s ends the session as %s at our server', async (what, code, type, sending) => {
      const { go, endpoint, token } = await scene.guest(way);
      await go.send(type, { payload: '{"intent":"move_left"}', ...sending(token) });
      expect(codeOf(await endpoint.closed), what).toBe(code);
      expect(await go.receive()).toBeUndefined();
      await expect(endpoint.receive()).rejects.toMatchObject({ code });
    });

    it.each(rows)('%s ends the session as %s at our client', async (what, code, type, sending) => {
      const { client, go } = await scene.visit(way);
      const token = client.peer.sessionId;
      await go.send(type, { payload: '{"status":"ok"}', ...sending(token, 'eipc-server') });
      expect(codeOf(await client.closed), what).toBe(code);
      await expect(client.receive()).rejects.toMatchObject({ code });
    });
  });

  it('a header of exactly 4 096 bytes is taken', async () => {
    const { go, endpoint, token } = await scene.guest(way);
    const sent = await go.send('c', { payload: '1', lies: { header: padded(4_096, token) } });
    expect(sent.readUInt32BE(4 + 8)).toBe(4_096);
    expect((await endpoint.receive()).payload).toBe(1);
  });

  // Go's sender allows header and payload of 2^20 bytes together, which with preamble and tag is more than any receiver takes.
  it('a frame above 2^20 bytes, which Go’s sender still writes, is refused', async () => {
    const { go, endpoint } = await scene.guest(way);
    const timestamp = '2026-04-03T12:00:00Z';
    const headerLength = (await go.send('f', { timestamp })).readUInt32BE(4 + 8);
    const largest = Buffer.alloc((1 << 20) - headerLength);
    // Our server ends the connection at the length in front, while Go is still writing.
    await go.send('f', { timestamp, payload: largest }).catch((error: unknown) => {
      expect(String(error)).toMatch(/broken pipe|reset/);
    });
    expect(codeOf(await endpoint.closed)).toBe('EIPC_FRAME_TOO_LARGE');
    await expect(go.send('f', { timestamp, payload: Buffer.alloc(largest.length + 1) })).rejects.toThrow('are above');
  });

  // The attacker has proved nothing yet and wants to be given memory.
  it.each([
    ['challenge', 'A'],
    ['mac', 'i'],
  ] as const)('a first frame of more than 4 096 bytes is refused, %s', async (auth, type) => {
    const server = await scene.serve(way, { auth });
    const go = await scene.knock(server);
    await go.send(type, { payload: `{"service_id":"${ID}","x":"${'x'.repeat(4_000)}"}` });
    await expect.poll(() => server.stats()).toMatchObject({ handshakeFailures: 1, authenticated: 0 });
    const honest = await scene.knock(server);
    await honest.send(type, { payload: `{"service_id":"${ID}","x":"${'x'.repeat(3_000)}"}` });
    if (auth === 'mac') await expect.poll(() => server.stats().authenticated).toBe(1);
    else await honest.expect('H');
  });

  // The attacker is on the way: it records frames and plays them again.
  it('a frame that is sent again is refused, at either end', async () => {
    const { go, endpoint } = await scene.guest(way);
    const frame = await go.send('c', { payload: '1' });
    expect((await endpoint.receive()).payload).toBe(1);
    await go.sendRaw(frame);
    expect(codeOf(await endpoint.closed)).toBe('EIPC_REPLAY');

    const visit = await scene.visit(way);
    const again = await visit.go.send('c', { payload: '1' });
    expect((await visit.client.receive()).payload).toBe(1);
    await visit.go.sendRaw(again);
    expect(codeOf(await visit.client.closed)).toBe('EIPC_REPLAY');
  });

  it('a frame that comes 128 behind the newest is refused, where the original takes one more', async () => {
    for (const [behind, code] of [
      [127, undefined],
      [128, 'EIPC_REPLAY'],
    ] as const) {
      const { go, endpoint } = await scene.guest(way);
      await go.send('c', { payload: '"new"', sequence: '1000' });
      await go.send('c', { payload: '"old"', sequence: String(1_000 - behind) });
      expect((await endpoint.receive()).payload).toBe('new');
      if (code === undefined) expect((await endpoint.receive()).payload).toBe('old');
      else expect(codeOf(await endpoint.closed)).toBe(code);
    }
    const wide = await scene.guest(way, { v1: { window: 192 } });
    for (const sequence of ['1000', '872']) await wide.go.send('c', { payload: sequence, sequence });
    expect([(await wide.endpoint.receive()).payload, (await wide.endpoint.receive()).payload]).toEqual([1_000, 872]);
  });

  // The attacker sends a session's frames back to where they came from.
  it('a frame that comes back to its sender is refused, at either end', async () => {
    const { go, endpoint } = await scene.guest(way);
    await endpoint.send({ type: 'chat', payload: 1 });
    const { bytes } = await go.expect('c');
    await go.sendRaw(prefixed(bytes));
    expect(codeOf(await endpoint.closed)).toBe('EIPC_REFLECTION');

    const visit = await scene.visit(way);
    await visit.client.send({ type: 'chat', payload: 1 });
    await visit.go.sendRaw(prefixed((await visit.go.expect('c')).bytes));
    expect(codeOf(await visit.client.closed)).toBe('EIPC_REFLECTION');
  });

  // The attacker has no key, or that of another service.
  it('a client with another key gets no answer, one with another’s id a denial', async () => {
    const server = await scene.serve(way, {
      services: {
        [ID]: { key: KEY, capabilities: [], protocols: [1] },
        'ail.framework': { key: STRANGER, capabilities: ['device:write'], protocols: [1] },
      },
    });
    const unknown = Buffer.from('of no service of this server');
    await expect((await scene.knock(server, unknown)).logIn()).rejects.toThrow(/EOF|reset/);
    const texts = new Set<string>();
    for (const id of ['ail.framework', 'nobody', 'NIA.MIN', ''])
      await (await scene.knock(server, KEY, id)).logIn().catch((error: unknown) => texts.add(String(error)));
    // The same where only the claim is another's, and not the header.
    const liar = await scene.knock(server);
    await liar.send('A', { payload: '{"service_id":"ail.framework"}' });
    expect((await liar.expect('R')).payload.toString()).toBe('{"status":"denied","error":"authentication failed"}');
    expect([...texts]).toEqual(['Error: denied: authentication failed']);
    expect(server.stats()).toMatchObject({ authenticated: 0, handshakeFailures: 6 });
  });

  it('a server with another key gets no session, and its denial no other reason', async () => {
    for (const key of [STRANGER, KEY]) {
      const listener = await scene.listen(way);
      const dialled = scene.dial(listener.address);
      dialled.catch(() => undefined);
      const go = await listener.accept(key);
      if (key === STRANGER) {
        await go.send('H', { payload: `{"status":"challenge","nonce":"${'ab'.repeat(32)}"}` });
        await expect(dialled).rejects.toMatchObject({ code: 'EIPC_INTEGRITY' });
      } else {
        await go.expect('A');
        await go.send('R', { payload: '{"status":"denied","error":"unknown service"}' });
        await expect(dialled).rejects.toMatchObject({ code: 'EIPC_HANDSHAKE_FAILED' });
      }
      await go.close();
    }
  });

  // The attacker is a server that wants its frames signed: it holds no key, or wants the client's signature under bytes of its choice.
  it.each([
    ['that begins as a frame does', `45495043${'00'.repeat(28)}`],
    ['of 31 bytes', 'ab'.repeat(31)],
    ['of 33 bytes', 'ab'.repeat(33)],
    ['of nothing', ''],
  ])('a nonce %s is answered by nobody of ours', async (_, nonce) => {
    const listener = await scene.listen(way);
    const dialled = scene.dial(listener.address);
    dialled.catch(() => undefined);
    const go = await listener.accept(KEY);
    await go.expect('A');
    await go.send('H', { payload: JSON.stringify({ status: 'challenge', nonce }) });
    await expect(dialled).rejects.toMatchObject({ code: 'EIPC_HANDSHAKE_FAILED' });
    expect(await go.receive()).toBeUndefined();
  });
});

describe('the trackers of replays', () => {
  it('differ in one number, the one that is as far behind as the window is wide', async () => {
    const dice = new Dice(7);
    const sequences: number[] = [];
    for (let max = 1; sequences.length < 20_000;) {
      const sequence = Math.max(1, max + 64 - dice.below(200));
      sequences.push(sequence);
      max = Math.max(max, sequence);
    }
    const theirs = await scene.peer.replay(sequences);
    const tracker = new ReplayTracker(128);
    let [max, differences] = [0, 0];
    for (const [index, sequence] of sequences.entries()) {
      let isOurs = true;
      try {
        tracker.check(sequence);
      } catch {
        isOurs = false;
      }
      if (isOurs !== theirs[index]) {
        expect([isOurs, max - sequence], `step ${index}`).toEqual([false, 128]);
        differences += 1;
      }
      max = Math.max(max, sequence);
    }
    expect(differences).toBeGreaterThan(10);
  });
});

function prefixed(frame: Buffer): Buffer {
  const prefix = Buffer.alloc(4);
  prefix.writeUInt32BE(frame.length);
  return Buffer.concat([prefix, frame]);
}
