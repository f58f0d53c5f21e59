/**
 * The attacker of this file holds a good key, the control socket and the mapping of the segment, in a process of its own:
 * it writes any byte at any time, sends any descriptor, says anything on the socket, or nothing. Its own connection
 * ends with a reason or delivers correct messages; the victim lives, keeps nothing, and serves the honest client all the time.
 *
 * `EIPC_HOSTILE` multiplies how often the random attacks strike (`make hostile`).
 */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';

import { HostileScene } from '../helpers/hostile-scene.js';

const TIMES = Number(process.env['EIPC_HOSTILE'] ?? 1);
const LONG = { timeout: 30_000 + 30_000 * TIMES };
const MEBIBYTE = 1_048_576;

/** What random nonsense may end in: poisoned, the death of an attacker that had enough, or what it managed to break by itself. */
const ENDS = /^EIPC_(?:POISONED|PEER_DOWN|TRUNCATED|CLOSED_BY_PEER)$/;

/** Segments without a name, and /proc to look at the victim: Linux. */
const onLinux = describe.runIf(process.platform === 'linux');

onLinux.each(['server', 'client'] as const)('a victim that is a %s', (role) => {
  let scene: HostileScene;

  beforeAll(async () => {
    scene = await HostileScene.make(role);
  });

  afterEach(async () => {
    await scene.expectUnharmed();
  });

  afterAll(async () => {
    await scene[Symbol.asyncDispose]();
  });

  // The yardstick: with honest messages the same attacker is welcome.
  test('takes honest messages of the same peer', async () => {
    const mark = scene.mark;
    const attack = await scene.attack('honest', 200);
    const { received } = await attack.report();
    const ending = await scene.ending(mark);
    expect(ending).toMatchObject({ code: 'EIPC_CLOSED_BY_PEER', corrupt: 0 });
    expect(ending.delivered).toBeGreaterThan(200);
    expect(received).toBeGreaterThan(0);
  });

  test.each<[string, string, number]>([
    ['random writes to every index, length, kind and flag', 'scribble', 2_000],
    ['a value that flips between a look and its use', 'flip', 20_000],
    ['holes in the memory', 'punch', 200],
  ])('%s, under traffic: correct messages or poisoned', LONG, async (_, name, count) => {
    const mark = scene.mark;
    const report = await (await scene.attack(name, count * TIMES)).report();
    await expect.poll(() => scene.endings(mark).length, { interval: 5, timeout: 20_000 }).toBe(report['connections']);
    const endings = scene.endings(mark);
    expect(endings.filter(({ code, corrupt }) => !ENDS.test(code) || corrupt > 0)).toEqual([]);
    expect(endings.filter(({ delivered }) => delivered > 0)).not.toEqual([]);
    const poisoned = endings.filter(({ code }) => code === 'EIPC_POISONED');
    expect(poisoned).not.toEqual([]);
    expect(poisoned.filter(({ error }) => (error?.text ?? '') === '')).toEqual([]);
    const logged = scene.faults(mark).filter((code) => code === 'EIPC_POISONED');
    expect(logged.length, 'every poisoned session is in the log').toBe(poisoned.length);
    // eslint-disable-next-line no-console -- the figures of docs/security-evidence.md
    if (TIMES > 1) console.log(`${role}, ${name}:`, report, `${poisoned.length} poisoned`);
  });

  test('another size and other seals are refused by the kernel, and traffic goes on', async () => {
    const mark = scene.mark;
    const report = await (await scene.attack('truncate', 100)).report();
    expect(report['refused']).toBe(8);
    expect(await scene.ending(mark)).toMatchObject({ code: 'EIPC_CLOSED_BY_PEER', corrupt: 0 });
  });

  test.each<[string, string]>([
    ['tail-backwards', 'tail went backwards'],
    ['tail-beyond', 'more than a capacity ahead'],
    ['tail-odd', 'not a multiple of 8'],
    ['record-kind', 'neither a frame nor padding'],
    ['record-beyond', 'reaches past what was published'],
    ['record-short', 'shorter than any frame'],
    ['bad-tag', 'EIPC_INTEGRITY'],
    ['skipped', 'EIPC_SEQUENCE'],
    ['replayed', 'EIPC_SEQUENCE'],
    ['other-lane', 'EIPC_SEQUENCE'],
    ['other-session', 'EIPC_INTEGRITY'],
    ['close-fewer', 'EIPC_SEQUENCE'],
  ])('%s: poisoned, with the reason', async (name, reason) => {
    const mark = scene.mark;
    await scene.attack(name, 1);
    const { code, error, corrupt } = await scene.ending(mark, 'EIPC_PEER_DOWN');
    expect({ code, corrupt }).toEqual({ code: 'EIPC_POISONED', corrupt: 0 });
    expect(error?.text).toContain(reason);
    expect(scene.faults(mark)).toContain('EIPC_POISONED');
  });

  // No event of the socket tells of it: the victim meets it while it sends.
  test('head-beyond: poisoned, with the reason, and no send after it has another error', async () => {
    const mark = scene.mark;
    await scene.attack('head-beyond', 1);
    const { code, error } = await scene.ending(mark);
    expect(code).toBe('EIPC_POISONED');
    expect(error?.text).toContain('head passed what was published');
    expect(scene.unsent(mark)).not.toContain('EIPC_CLOSED');
  });

  // The fault may be met before there is an endpoint.
  test('a lie before the victim has looked at the segment at all: poisoned all the same', async () => {
    const mark = scene.mark;
    await scene.attack('tail-beyond', 0);
    await expect.poll(() => scene.faults(mark), { interval: 2, timeout: 20_000 }).toContain('EIPC_POISONED');
  });

  // It is seen before the close, or with it, or no more.
  test('a message behind the close: delivered before, or poisoned, or not looked at', async () => {
    const mark = scene.mark;
    await scene.attack('close-then-publish', 1);
    const { code, delivered, corrupt } = await scene.ending(mark);
    expect([
      { code: 'EIPC_CLOSED_BY_PEER', delivered: 5 },
      { code: 'EIPC_POISONED', delivered: 5 },
      { code: 'EIPC_POISONED', delivered: 6 },
    ]).toContainEqual({ code, delivered });
    expect(corrupt).toBe(0);
  });

  test('a close that counts more messages than there are: truncated, after those that are', async () => {
    const mark = scene.mark;
    await scene.attack('close-more', 1);
    expect(await scene.ending(mark)).toMatchObject({ code: 'EIPC_TRUNCATED', delivered: 5, corrupt: 0 });
  });

  test('flags that lie cost the liar at most', LONG, async () => {
    const mark = scene.mark;
    const report = await (await scene.attack('lying-flags', 2_000)).report();
    expect(report['received']).toBeGreaterThan(0);
    expect(await scene.ending(mark)).toMatchObject({ code: 'EIPC_CLOSED_BY_PEER', delivered: 2_000, corrupt: 0 });
  });

  test('doorbells by the million are read and forgotten', LONG, async () => {
    const mark = scene.mark;
    const before = scene.memory();
    const report = await (await scene.attack('doorbells', 2_000_000)).report();
    expect(report['doorbells']).toBeGreaterThanOrEqual(2_000_000);
    expect(await scene.ending(mark)).toMatchObject({ code: 'EIPC_CLOSED_BY_PEER', corrupt: 0 });
    expect(scene.memory() - before).toBeLessThan(64 * MEBIBYTE);
  });

  test.each([
    ['reads nothing, neither socket nor rings', 'never-reads'],
    ['gives no room back', 'never-releases'],
  ])('a peer that %s gets what fits, and the sender learns it', LONG, async (_, name) => {
    const mark = scene.mark;
    const before = scene.memory();
    const attack = await scene.attack(name);
    await attack.mapped();
    expect(await scene.news('unsent', mark)).toMatchObject({ code: 'EIPC_BACKPRESSURE' });
    // What fits is the segment's size, once.
    expect(scene.memory() - before).toBeLessThan(64 * MEBIBYTE);
    await scene.expectServed();
    attack.end();
    expect(await scene.ending(mark)).toMatchObject({ code: 'EIPC_PEER_DOWN' });
  });

  test('half a control frame: what is in the rings is delivered, and the end of the stream ends it', LONG, async () => {
    const mark = scene.mark;
    const attack = await scene.attack('half-frame', 100);
    await attack.mapped();
    await scene.expectServed();
    attack.end();
    const ending = await scene.ending(mark);
    expect(ending).toMatchObject({ code: 'EIPC_PEER_DOWN', corrupt: 0 });
    expect(ending.delivered).toBeGreaterThan(0);
  });

  test('a child of the attacker keeps the socket: alive for as long as it does', LONG, async () => {
    const mark = scene.mark;
    const { heir = 0 } = await (await scene.attack('inherited')).report();
    await scene.expectServed();
    expect(scene.endings(mark)).toEqual([]);
    process.kill(heir, 'SIGKILL');
    expect(await scene.ending(mark)).toMatchObject({ code: 'EIPC_PEER_DOWN' });
  });
});

onLinux('a client and the segment of a hostile server', () => {
  let scene: HostileScene;

  beforeAll(async () => {
    scene = await HostileScene.make('client');
  });

  afterEach(async () => {
    await scene.expectUnharmed();
  });

  afterAll(async () => {
    await scene[Symbol.asyncDispose]();
  });

  const REFUSED = 2;
  const HUNG_UP = 3;

  test.each<[string, string, number, string]>([
    ['no descriptor', 'offer-none', REFUSED, 'no descriptor came with the offer'],
    ['two descriptors', 'offer-two', HUNG_UP, 'descriptors on the control socket that were not due'],
    ['a descriptor with SessionAccept', 'offer-with-accept', HUNG_UP, 'that were not due'],
    ['a descriptor with the second byte of the offer', 'offer-with-second-byte', HUNG_UP, 'that were not due'],
    ['no seals', 'offer-unsealed', REFUSED, 'is not sealed as it must be'],
    ['a seal against writing', 'offer-write-sealed', REFUSED, 'is not sealed as it must be'],
    ['a shorter segment', 'offer-short', REFUSED, 'has another size than its offer'],
    ['a longer segment', 'offer-long', REFUSED, 'has another size than its offer'],
    ['another header', 'offer-other-header', REFUSED, 'header differs from its offer'],
    ['an offer of another session', 'offer-of-another-session', HUNG_UP, 'was made for another session'],
    ['an offer above the limit', 'offer-too-large', REFUSED, 'invalid or above the limit'],
    ['huge pages', 'offer-huge-pages', REFUSED, 'is not on tmpfs'],
    ['a descriptor for reading', 'offer-read-only', REFUSED, 'could not be mapped'],
    ['a descriptor for nothing (O_PATH)', 'offer-path', REFUSED, 'is not sealed as it must be'],
    ['a file on tmpfs', 'offer-tmpfs-file', REFUSED, 'is not sealed as it must be'],
    ['a directory', 'offer-directory', REFUSED, 'is not'],
    ['/dev/zero', 'offer-device', REFUSED, 'is not'],
    ['a pipe', 'offer-pipe', REFUSED, 'is not on tmpfs'],
    ['the control socket itself', 'offer-its-own-socket', REFUSED, 'is not on tmpfs'],
  ])('%s: refused, with the reason', async (_, name, answer, reason) => {
    const mark = scene.mark;
    const report = await (await scene.attack(name)).report();
    const { code, text } = await scene.failure(mark);
    expect({ code, answer: report['answer'] }).toEqual({ code: 'EIPC_PROTOCOL', answer });
    expect(text).toContain(reason);
  });

  test.skipIf(process.getuid?.() !== 0)('a segment of another user: refused, with the reason', async () => {
    const mark = scene.mark;
    expect(await (await scene.attack('offer-other-owner')).report()).toEqual({ answer: REFUSED });
    expect((await scene.failure(mark)).text).toContain('belongs to another user');
  });

  test('a second descriptor after the segment is in use ends the session', async () => {
    const mark = scene.mark;
    await (await scene.attack('offer-and-again-after-ready')).report();
    expect(await scene.ending(mark)).toMatchObject({ code: 'EIPC_PROTOCOL' });
  });
});
