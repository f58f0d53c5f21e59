/** The attacker's tools: cutting a stream into frames, scripts that do what they say, and a round that lacks nothing. */
import { describe, expect, test } from 'vitest';

import {
  type Direction,
  flipBit,
  FrameSplitter,
  PLAIN_ALERT,
  withPrefix,
} from '../../../src/cli/demo/attack/frames.js';
import { pathAttack, roundLength } from '../../../src/cli/demo/attack/path-attacks.js';
import { probe, PROBES } from '../../../src/cli/demo/attack/probes.js';
import type { Script } from '../../../src/cli/demo/attack/proxy.js';
import { drop, edit, inject, reflect, replay, swap } from '../../../src/cli/demo/attack/scripts.js';
import { ATTACK_KINDS } from '../../../src/cli/demo/attack/tally.js';

const FRAMES = ['zero', 'one', 'two', 'three'].map((text) => Buffer.from(text.padEnd(16)));
const NOTHING = { c2s: [], s2c: [] };

describe('FrameSplitter', () => {
  test('finds the same frames whatever the pieces', () => {
    const stream = Buffer.concat(FRAMES.map(withPrefix));
    for (let size = 1; size <= stream.length; size++) {
      const splitter = new FrameSplitter();
      const found: Buffer[] = [];
      for (let from = 0; from < stream.length; from += size)
        found.push(...splitter.push(stream.subarray(from, from + size)));
      expect(found).toEqual(FRAMES);
    }
  });

  test.each([0, 15, 1_048_577, 0xffff_ffff])('refuses a length of %i', (length) => {
    const prefix = Buffer.alloc(4);
    prefix.writeUInt32BE(length);
    expect(() => new FrameSplitter().push(prefix)).toThrow(RangeError);
  });
});

describe('a script', () => {
  const target = { direction: 'c2s', index: 1 } as const;

  test.each<[string, Script, string[], string[]]>([
    ['replay', replay(target), ['zero', 'one', 'one', 'two', 'three'], []],
    ['drop', drop(target), ['zero', 'two', 'three'], []],
    ['swap', swap(target), ['zero', 'two', 'one', 'three'], []],
    ['reflect', reflect(target), ['zero', 'one', 'two', 'three'], ['one']],
    ['edit', edit(target, () => Buffer.from('1')), ['zero', '1', 'two', 'three'], []],
    ['inject', inject(target, Buffer.from('1')), ['zero', '1', 'one', 'two', 'three'], []],
  ])('%s does that to one frame and nothing to the others', (_, script, there, back) => {
    expect(run(script, 'c2s')).toEqual({ c2s: there, s2c: back });
    // The other direction is not meant.
    expect(run(script, 's2c')).toEqual({ c2s: [], s2c: ['zero', 'one', 'two', 'three'] });
  });
});

test('flipBit changes one bit of a copy', () => {
  const bytes = Buffer.from([0, 0]);
  expect([flipBit(bytes, 0), flipBit(bytes, 15), bytes]).toEqual([Buffer.of(1, 0), Buffer.of(0, 128), Buffer.of(0, 0)]);
});

test('PLAIN_ALERT is the alert of wire.md', () => {
  expect(PLAIN_ALERT.toString('hex')).toBe('4549504300024500000000000000000401000000');
});

describe.each([true, false])('a round of attacks, with messages: %s', (carriesMessages) => {
  const attacks = Array.from({ length: roundLength(carriesMessages) }, (_, i) =>
    pathAttack(i, carriesMessages, NOTHING),
  );

  test('has every kind', () => {
    expect(new Set(attacks.map(({ kind }) => kind))).toEqual(new Set(ATTACK_KINDS));
  });

  test('allows no message behind an attacked handshake, and fewer than all behind an attacked message', () => {
    for (const { target, allowed, kind } of attacks) {
      if (target.index < 2) expect(allowed).toEqual({ c2s: 0, s2c: 0 });
      else if (kind !== 'reflection') expect(allowed[target.direction]).toBeLessThan(8);
    }
  });
});

test('a round of probes has every kind, before anything was recorded and behind it', () => {
  const recorded = { c2s: FRAMES.map((frame) => Buffer.concat([frame, Buffer.alloc(160)])), s2c: FRAMES };
  for (const recording of [NOTHING, recorded]) {
    const probes = Array.from({ length: PROBES }, (_, i) => probe(i, recording, 'eni.min'));
    expect(new Set(probes.map(({ kind }) => kind))).toEqual(new Set(ATTACK_KINDS));
  }
});

/** What a script makes of the four frames in one direction. */
function run(script: Script, direction: Direction): Record<Direction, string[]> {
  const sent: Record<Direction, string[]> = { c2s: [], s2c: [] };
  const take = (to: Direction, bytes: Uint8Array) => void sent[to].push(Buffer.from(bytes).toString().trimEnd());
  const tap = { send: take, sendBytes: take, end: () => undefined };
  for (const [index, bytes] of FRAMES.entries()) script({ direction, index, bytes }, tap);
  return sent;
}
