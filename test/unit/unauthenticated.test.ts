// Who may be in its handshake, and who goes when there are too many. The attacker opens connections from one source, or from many.
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import type { Link } from '../../src/transport/transport.js';
import { Unauthenticated } from '../../src/unauthenticated.js';

/** Only its identity counts here. */
function link(): Link {
  return {} as Link;
}

function fill(crowd: Unauthenticated, count: number, source?: string): Link[] {
  return Array.from({ length: count }, () => {
    const added = link();
    expect(crowd.add(added, source)).toBeUndefined();
    return added;
  });
}

describe('connections that have proven nothing', () => {
  it('beyond the limit the oldest goes', () => {
    const crowd = new Unauthenticated(3);
    const [oldest, second] = fill(crowd, 3);
    expect(crowd.add(link(), undefined)).toEqual({ link: oldest, crowding: 'refusedUnauthenticated' });
    expect(crowd.add(link(), undefined)?.link).toBe(second);
    expect(crowd.size).toBe(3);
  });

  it('a source beyond its half gives up its own oldest, and nobody else’s', () => {
    const crowd = new Unauthenticated(4);
    const [other] = fill(crowd, 1, '10.0.0.2');
    const [oldest] = fill(crowd, 2, '10.0.0.1');
    expect(crowd.add(link(), '10.0.0.1')).toEqual({ link: oldest, crowding: 'refusedSources' });
    expect(crowd.delete(other as Link)).toEqual({ source: '10.0.0.2' });
  });

  it('when all places are taken the source with the most gives one up', () => {
    const crowd = new Unauthenticated(4);
    fill(crowd, 1, '10.0.0.2');
    const [oldest] = fill(crowd, 2, '10.0.0.1');
    fill(crowd, 1, '10.0.0.3');
    expect(crowd.add(link(), '10.0.0.4')).toEqual({ link: oldest, crowding: 'refusedUnauthenticated' });
  });

  it('a link leaves once', () => {
    const crowd = new Unauthenticated(1);
    const [first] = fill(crowd, 1, '10.0.0.1') as [Link];
    expect(crowd.add(link(), '10.0.0.2')?.link).toBe(first);
    expect(crowd.delete(first)).toBeUndefined();
    expect(crowd.size).toBe(1);
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
    const crowd = new Unauthenticated(4);
    for (let n = 0; n < 64; n += 1) {
      expect(crowd.hasSpent('10.0.0.1')).toBe(false);
      crowd.spend('10.0.0.1');
    }
    expect(crowd.hasSpent('10.0.0.1')).toBe(true);
    expect(crowd.hasSpent('10.0.0.2')).toBe(false);
    expect(crowd.hasSpent(undefined)).toBe(false);
    vi.advanceTimersByTime(126); // 8 a second
    expect(crowd.hasSpent('10.0.0.1')).toBe(false);
    crowd.spend('10.0.0.1');
    expect(crowd.hasSpent('10.0.0.1')).toBe(true);
  });

  it.each(['127.0.0.1', '127.9.9.9', '0:0:0:0::/64', undefined])('except on this machine: %s', (source) => {
    const crowd = new Unauthenticated(4);
    for (let n = 0; n < 200; n += 1) crowd.spend(source);
    expect(crowd.hasSpent(source)).toBe(false);
  });

  it('is forgotten when very many others have come after it', () => {
    const crowd = new Unauthenticated(4);
    for (let n = 0; n < 64; n += 1) crowd.spend('10.0.0.1');
    for (let n = 0; n < 4_096; n += 1) crowd.spend(`10.1.${n >> 8}.${n & 255}`);
    expect(crowd.hasSpent('10.0.0.1')).toBe(false);
  });
});
