import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { Deadline, DeadlineWheel } from '../../src/deadlines.js';

class Probe extends Deadline {
  firedAt = -1;
  onFire: (() => void) | undefined;

  override expire(): void {
    this.firedAt = performance.now();
    this.onFire?.();
  }
}

function add(wheel: DeadlineWheel, delay: number): Probe {
  const probe = new Probe();
  wheel.add(probe, delay);
  return probe;
}

describe('the deadline wheel', () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it('never fires early, and at most a tick late, also beyond one turn', () => {
    const wheel = new DeadlineWheel();
    const start = performance.now();
    const probes = [1, 3, 4, 50, 1_000, 1_024, 1_030, 5_000, 100_000].map((delay) => ({
      delay,
      probe: add(wheel, delay),
    }));
    vi.advanceTimersByTime(101_000);
    for (const { delay, probe } of probes) {
      expect(probe.firedAt - start, String(delay)).toBeGreaterThanOrEqual(delay);
      expect(probe.firedAt - start, String(delay)).toBeLessThanOrEqual(delay + 6);
    }
    expect(wheel.size).toBe(0);
  });

  it('keeps one timer while something is pending and none when nothing is', () => {
    const wheel = new DeadlineWheel();
    const probes = Array.from({ length: 100 }, () => add(wheel, 500));
    expect(vi.getTimerCount()).toBe(1);
    for (const probe of probes) wheel.cancel(probe);
    vi.advanceTimersByTime(600);
    expect(vi.getTimerCount()).toBe(0);
    expect(probes.every((probe) => probe.firedAt === -1)).toBe(true);
  });

  it('fires an earlier deadline that was added later', () => {
    const wheel = new DeadlineWheel();
    add(wheel, 5_000);
    const early = add(wheel, 10);
    vi.advanceTimersByTime(20);
    expect(early.firedAt).not.toBe(-1);
    expect(wheel.size).toBe(1);
  });

  it('lets one that fires cancel another that was to fire with it, and add new ones', () => {
    const wheel = new DeadlineWheel();
    const first = add(wheel, 20);
    const second = add(wheel, 20);
    const later = new Probe();
    const cancelOther = (other: Probe) => () => {
      wheel.cancel(other);
      if (wheel.size === 0) wheel.add(later, 10);
    };
    first.onFire = cancelOther(second);
    second.onFire = cancelOther(first);
    vi.advanceTimersByTime(100);
    expect([first.firedAt, second.firedAt].filter((at) => at === -1)).toHaveLength(1);
    expect(later.firedAt).not.toBe(-1);
  });

  it('can be used again after a long pause, and cleared', () => {
    const wheel = new DeadlineWheel();
    add(wheel, 10);
    vi.advanceTimersByTime(1_000_000);
    const probe = add(wheel, 10);
    vi.advanceTimersByTime(20);
    expect(probe.firedAt).not.toBe(-1);
    const cleared = add(wheel, 10);
    wheel.clear();
    vi.advanceTimersByTime(100);
    expect(cleared.firedAt).toBe(-1);
    expect(vi.getTimerCount()).toBe(0);
  });
});
