/**
 * The attacker of this file is another user of the same machine who has found the socket, and even a key: without `access`, and when it is
 * not named there, it is turned away before a byte of it is read. Those who are named get whole sessions, through shared memory too.
 */
import { randomBytes } from 'node:crypto';
import { chmodSync, chownSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { connect, Key, listen, unix } from '../../src/index.js';
import type { ListenOptions, LogRecord, Server } from '../../src/index.js';
import { isRoot, OtherUser } from '../helpers/other-user.js';
import type { User } from '../helpers/other-user.js';

const ANN: User = { uid: 61_001, gid: 61_001 };
const BOB: User = { uid: 61_002, gid: 61_002 };
const TEAM = 61_100;
const EVERY_LANE = 60_000;

const secret = randomBytes(32);
const key = Key.fromBytes(Buffer.from(secret));
const services = { eni: { key, capabilities: [] } };

let folder: string;
let path: string;
let records: LogRecord[];
const users: OtherUser[] = [];
const servers: Server[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'eipc-users-'));
  chmodSync(folder, 0o711);
  path = join(folder, 'socket');
  records = [];
});
afterEach(async () => {
  for (const user of users.splice(0)) await user.kill();
  for (const server of servers.splice(0)) await server.close({ timeout: 200 });
  rmSync(folder, { recursive: true, force: true });
});

function start(role: 'listen' | 'connect' | 'guess', address: string, user: User, options: object = {}): OtherUser {
  const started = new OtherUser(role, address, user, secret, options);
  users.push(started);
  return started;
}

/** Listens as this user. */
async function serve(address: string, options: Partial<ListenOptions> = {}): Promise<Server> {
  const server = await listen(address, { services, logger: (record) => records.push(record), ...options });
  server.router?.handle('intent', (message, peer) => ({ echo: message.payload, uid: peer.uid, gid: peer.gid }));
  servers.push(server);
  return server;
}

/** Nobody was let in, and nothing that was sent was looked at. */
function expectRefusals(server: Server, count: number): void {
  const counts = { refusedUsers: count, accepted: count, authenticated: 0, handshakeFailures: 0, handshaking: 0 };
  expect(server.stats()).toMatchObject(counts);
  expect(records.map((record) => record.event)).toEqual(Array<string>(count).fill('refused'));
}

describe.skipIf(!isRoot)('as root, with processes of other users', () => {
  describe.each(['unix', 'shm'])('%s', (scheme) => {
    it('without access: another user does not get to the socket, and is refused when it does', async () => {
      const server = await serve(`${scheme}:${path}`);
      expect(statSync(path).mode & 0o777).toBe(0o600);
      expect(await start('connect', `${scheme}:${path}`, ANN).says()).toMatchObject({
        code: 'EIPC_TRANSPORT',
        text: expect.stringContaining('may not connect') as string,
      });
      chmodSync(path, 0o666);
      const refused = await start('connect', `${scheme}:${path}`, ANN).says();
      expect(refused).toMatchObject({ text: expect.stringContaining('not let this user in') as string });
      expectRefusals(server, 1);
      expect(records[0]?.text).toContain(`uid ${ANN.uid}, gid ${ANN.gid}`);
    });

    it("without access: root's power over files opens another user's server to it no more than to others", async () => {
      const place = join(folder, 'ann');
      mkdirSync(place, { mode: 0o700 });
      chownSync(place, ANN.uid, ANN.gid);
      const address = `${scheme}:${join(place, 'socket')}`;
      const listener = start('listen', address, ANN);
      expect(await listener.says()).toEqual({ listening: [address] });
      await expect(connect(address, { serviceId: 'eni', key })).rejects.toThrow(/not let this user in/);
      expect(await listener.says()).toEqual({ record: 'refused' });
    });

    it('with access: a user who is named gets a whole session, nobody else gets anything', async () => {
      const address = `${scheme}:${path}`;
      const server = await serve(address, { access: { uids: [ANN.uid] } });
      expect(statSync(path).mode & 0o777).toBe(0o666);
      expect(statSync(`${path}.lock`).mode & 0o777).toBe(0o600);
      expect(await start('connect', address, BOB).says()).toMatchObject({ code: expect.any(String) as string });
      await expect(connect(address, { serviceId: 'eni', key })).rejects.toThrow(/not let this user in/); // this user, who is not named
      expectRefusals(server, 2);
      const ann = start('connect', address, ANN);
      expect(await ann.says()).toEqual({ answered: EVERY_LANE, seen: ANN.uid, seenGroup: ANN.gid, server: 0 });
      const [endpoint] = server.endpoints;
      expect(endpoint?.peer).toMatchObject({ uid: ANN.uid, gid: ANN.gid, pid: ann.child.pid });
      await ann.kill();
      expect((await endpoint?.closed)?.code).toBe(scheme === 'shm' ? 'EIPC_PEER_DOWN' : 'EIPC_TRUNCATED');
    });

    it('with access: the effective group counts, supplementary groups do not', async () => {
      const address = `${scheme}:${path}`;
      const server = await serve(address, { access: { gids: [TEAM] } });
      const inTeam = { uid: BOB.uid, gid: TEAM };
      expect(await start('connect', address, ANN).says()).toMatchObject({ code: expect.any(String) as string });
      const member = { ...ANN, groups: [TEAM] };
      expect(await start('connect', address, member).says()).toMatchObject({ code: expect.any(String) as string });
      expectRefusals(server, 2);
      expect(await start('connect', address, inTeam).says()).toMatchObject({ answered: EVERY_LANE, seenGroup: TEAM });
    });

    // The attacker is a user who is let in and tries keys, and may share the machine with users who are let in, too.
    it('with access: a user who sends wrong keys is not listened to for a while, and others are', async () => {
      const address = `${scheme}:${path}`;
      const server = await serve(address, { access: { uids: [ANN.uid, BOB.uid] } });
      expect(await start('guess', address, ANN).says()).toEqual({ guessed: 100 });
      const { refusedSources, handshakeFailures } = server.stats();
      expect(refusedSources).toBeGreaterThan(0);
      expect(refusedSources + handshakeFailures).toBe(100);
      expect(await start('connect', address, BOB).says()).toMatchObject({ answered: EVERY_LANE });
    });

    it('two users who are nobody special talk to each other, and each sees the death of the other', async () => {
      const place = join(folder, 'ann');
      mkdirSync(place, { mode: 0o711 });
      chmodSync(place, 0o711);
      chownSync(place, ANN.uid, ANN.gid);
      const address = `${scheme}:${join(place, 'socket')}`;
      const server = start('listen', address, ANN, { access: { uids: [BOB.uid] } });
      expect(await server.says()).toEqual({ listening: [address] });
      const client = start('connect', address, BOB);
      expect(await client.says()).toMatchObject({ answered: EVERY_LANE, seen: BOB.uid, server: ANN.uid });
      expect(await server.says()).toEqual({ record: 'connected' });
      await server.kill();
      expect(await client.says()).toEqual({ ended: scheme === 'shm' ? 'EIPC_PEER_DOWN' : 'EIPC_TRUNCATED' });
    });
  });

  it('the transport unix() accepts nobody but this user', async () => {
    const transport = unix();
    await transport.listen(`unix:${path}`);
    chmodSync(path, 0o666);
    const accepted = transport.accept({ timeout: 20_000 });
    expect(await start('connect', `unix:${path}`, ANN).says()).toMatchObject({ code: 'EIPC_TRANSPORT' });
    const own = unix();
    await (await own.dial(`unix:${path}`)).send(Buffer.alloc(16, 1));
    expect(await (await accepted).receive()).toEqual(new Uint8Array(16).fill(1));
    await Promise.all([transport.close(), own.close()]);
  });

  // The attacker is the server: it hands over memory that is not its own as far as the kernel told the client.
  it('a segment whose owner is not the user the kernel names is refused by the client', async () => {
    const address = `shm:${path}`;
    const server = start('listen', address, BOB, { access: { uids: [ANN.uid] }, late: true });
    expect(await server.says()).toEqual({ listening: [address] });
    const client = start('connect', address, ANN);
    expect(await client.says()).toMatchObject({
      code: 'EIPC_PROTOCOL',
      text: expect.stringContaining('another user than the peer') as string,
    });
  });

  it("a dead server's socket is taken over by its own user, and by no other", async () => {
    const place = join(folder, 'ann');
    mkdirSync(place);
    chmodSync(place, 0o711);
    chownSync(place, ANN.uid, ANN.gid);
    const address = `unix:${join(place, 'socket')}`;
    const options = { access: { uids: [ANN.uid, BOB.uid] } };
    const first = start('listen', address, ANN, options);
    expect(await first.says()).toEqual({ listening: [address] });
    expect(await start('listen', address, ANN, options).says()).toMatchObject({ code: 'EIPC_ADDRESS_IN_USE' });
    await first.kill();
    expect(readdirSync(place).toSorted()).toEqual(['socket', 'socket.lock']);
    const taken = { code: 'EIPC_TRANSPORT', text: expect.stringContaining(`uid ${ANN.uid}`) as string };
    expect(await start('listen', address, BOB, options).says()).toMatchObject(taken);
    const plain = { code: 'EIPC_TRANSPORT', text: expect.stringContaining("another user's server") as string };
    expect(await start('listen', address, BOB).says()).toMatchObject(plain);
    expect(await start('listen', address, ANN, options).says()).toEqual({ listening: [address] });
    expect(await start('connect', address, BOB).says()).toMatchObject({ answered: EVERY_LANE });
  });
});
