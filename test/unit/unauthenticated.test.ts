// Who may be in its handshake, and who goes when there are too many. The attacker opens connections from one source, or from many.
import { setImmediate } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import type { Link } from '../../src/transport/transport.js';
import { Unauthenticated } from '../../src/unauthenticated.js';
import type { Crowding } from '../../src/unauthenticated.js';

/** Connections of which only the identity counts, and who was cut. */
class Crowd {
  readonly cut: { link: Link; crowding: Crowding }[] = [];
  readonly places: Unauthenticated;

  constructor(limit: number) {
    this.places = new Unauthenticated(limit, (link, crowding) => this.cut.push({ link, crowding }));
  }

  add(count: number, source?: string): Link[] {
    return Array.from({ length: count }, () => {
      const link = {} as Link;
      this.places.add(link, source);
      return link;
    });
  }

  /** Lets everybody have the chance to say who they are. */
  async wait(): Promise<void> {
    for (let turn = 0; turn < 3; turn += 1) await setImmediate();
  }
}

describe('connections that have proven nothing', () => {
  it('are let be up to the limit', async () => {
    const crowd = new Crowd(3);
    crowd.add(3);
    await crowd.wait();
    expect(crowd.cut).toEqual([]);
    expect(crowd.places.size).toBe(3);
  });

  it('beyond the limit the oldest go', async () => {
    const crowd = new Crowd(3);
    const [first, second] = crowd.add(5);
    await crowd.wait();
    expect(crowd.cut).toEqual([
      { link: first, crowding: 'refusedUnauthenticated' },
      { link: second, crowding: 'refusedUnauthenticated' },
    ]);
    expect(crowd.places.size).toBe(3);
  });

  it('who has shown a key stays, however old, and who has not goes in its place', async () => {
    const crowd = new Crowd(3);
    const [known, stranger] = crowd.add(2) as [Link, Link];
    crowd.places.recognise(known);
    await crowd.wait();
    crowd.add(3);
    await crowd.wait();
    expect(crowd.cut.map(({ link }) => link)).toContain(stranger);
    expect(crowd.cut.map(({ link }) => link)).not.toContain(known);
    expect(crowd.places.size).toBe(3);
  });

  it('nobody goes before what it brought along was read', async () => {
    const crowd = new Crowd(2);
    const [honest] = crowd.add(4) as [Link];
    await setImmediate();
    expect(crowd.cut).toEqual([]);
    // Its hello was read in the turn between, and it is in.
    crowd.places.delete(honest);
    await crowd.wait();
    expect(crowd.cut.map(({ link }) => link)).not.toContain(honest);
    expect(crowd.places.size).toBe(2);
  });

  it('who comes while others are waited for has its own chance', async () => {
    const crowd = new Crowd(2);
    crowd.add(3);
    await setImmediate();
    const [late] = crowd.add(1) as [Link];
    await setImmediate();
    expect(crowd.cut).toHaveLength(2);
    expect(crowd.cut.map(({ link }) => link)).not.toContain(late);
  });

  it('a crowd of twice the limit is cut at once', () => {
    const crowd = new Crowd(3);
    const [first, second] = crowd.add(8);
    expect(crowd.cut.map(({ link }) => link)).toEqual([first, second]);
    expect(crowd.places.size).toBe(6);
  });

  it('whose hello was good stay, whoever else comes', async () => {
    const crowd = new Crowd(2);
    const known = crowd.add(2);
    for (const link of known) crowd.places.recognise(link);
    const strangers = crowd.add(9);
    await crowd.wait();
    expect(crowd.cut.map(({ link }) => link)).toEqual(strangers);
    // They are too many, and nobody else is there: nothing is looked at again and again for that.
    const immediates = process.getActiveResourcesInfo().filter((name) => name === 'Immediate');
    expect(immediates).toEqual([]);
    expect(crowd.places.size).toBe(2);
  });

  it('a source beyond its half gives up its own oldest, and nobody else’s', async () => {
    const crowd = new Crowd(4);
    const [other] = crowd.add(1, '10.0.0.2') as [Link];
    const [oldest] = crowd.add(3, '10.0.0.1');
    await crowd.wait();
    expect(crowd.cut).toEqual([{ link: oldest, crowding: 'refusedSources' }]);
    expect(crowd.places.delete(other)).toEqual({ source: '10.0.0.2' });
  });

  it('when all places are taken the source with the most gives one up', async () => {
    const crowd = new Crowd(4);
    crowd.add(1, '10.0.0.2');
    const [oldest] = crowd.add(2, '10.0.0.1');
    crowd.add(1, '10.0.0.3');
    crowd.add(1, '10.0.0.4');
    await crowd.wait();
    expect(crowd.cut).toEqual([{ link: oldest, crowding: 'refusedUnauthenticated' }]);
  });

  it('a link leaves once', async () => {
    const crowd = new Crowd(1);
    const [first] = crowd.add(1, '10.0.0.1') as [Link];
    crowd.add(1, '10.0.0.2');
    await crowd.wait();
    expect(crowd.cut).toHaveLength(1);
    expect(crowd.places.delete(first)).toBeUndefined();
    expect(crowd.places.size).toBe(1);
  });
});

describe('a source that sends wrong hellos', () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['performance'] });
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it('is not listened to when it has sent too many, until time has passed', () => {
    const { places } = new Crowd(4);
    for (let n = 0; n < 64; n += 1) {
      expect(places.hasSpent('10.0.0.1')).toBe(false);
      places.spend('10.0.0.1');
    }
    expect(places.hasSpent('10.0.0.1')).toBe(true);
    expect(places.hasSpent('10.0.0.2')).toBe(false);
    expect(places.hasSpent(undefined)).toBe(false);
    vi.advanceTimersByTime(126); // 8 a second
    expect(places.hasSpent('10.0.0.1')).toBe(false);
    places.spend('10.0.0.1');
    expect(places.hasSpent('10.0.0.1')).toBe(true);
  });

  it.each(['127.0.0.1', '127.9.9.9', '0:0:0:0::/64', undefined])('except on this machine: %s', (source) => {
    const { places } = new Crowd(4);
    for (let n = 0; n < 200; n += 1) places.spend(source);
    expect(places.hasSpent(source)).toBe(false);
  });

  it('is forgotten when very many others have come after it', () => {
    const { places } = new Crowd(4);
    for (let n = 0; n < 64; n += 1) places.spend('10.0.0.1');
    for (let n = 0; n < 4_096; n += 1) places.spend(`10.1.${n >> 8}.${n & 255}`);
    expect(places.hasSpent('10.0.0.1')).toBe(false);
  });
});
