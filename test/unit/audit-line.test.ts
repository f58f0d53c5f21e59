/** What becomes of the texts of an entry: one line of printable ASCII, whatever a peer put into them. */
import fc from 'fast-check';
import { toUSVString } from 'node:util';
import { describe, expect, it } from 'vitest';

import type { AuditEntry } from '../../src/index.js';
import { auditBody } from '../../src/audit/audit-line.js';
import { NativeAuditChain } from '../../src/native.js';

const TIME = Date.UTC(2026, 10, 5, 12, 34, 56, 789);
const FIRST: AuditEntry = { peer: '', action: 'audit.begin', decision: 'note', result: 'no key' };

/** Has the core make lines of entries, which refuses bodies that are not canonical. */
function lines(...entries: AuditEntry[]): string[] {
  const chain = NativeAuditChain.begin(new Uint8Array(32));
  const bodies = [FIRST, ...entries].map((entry) => auditBody(entry, TIME)).join('');
  return Buffer.from(chain.seal(Buffer.from(bodies, 'latin1')))
    .toString('latin1')
    .split('\n')
    .slice(1, -1);
}

describe('an audit line', () => {
  it('has its keys in one order, and the words of the entry', () => {
    const frame = 'a1'.repeat(32);
    const [line = ''] = lines({
      peer: 'eni.min',
      action: 'motor.move',
      decision: 'deny',
      result: 'EIPC_CAPABILITY: no',
      requestId: 'c7',
      frame,
    });
    const { prev, h, ...rest } = JSON.parse(line) as Record<string, unknown>;
    expect([prev, h]).toEqual([
      expect.stringMatching(/^[0-9a-f]{64}$/) as unknown,
      expect.stringMatching(/^[0-9a-f]{64}$/) as unknown,
    ]);
    expect(JSON.stringify(rest)).toBe(
      `{"i":2,"t":"2026-11-05T12:34:56.789Z","peer":"eni.min","action":"motor.move","decision":"deny",` +
        `"result":"EIPC_CAPABILITY: no","request_id":"c7","frame":"${frame}"}`,
    );
  });

  it('is one line of printable ASCII, from which the text can be read again', () => {
    const unit = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 300 }),
      fc.string({ unit: fc.integer({ min: 0, max: 0xffff }).map((code) => String.fromCharCode(code)), maxLength: 300 }),
      fc.string({ maxLength: 300 }),
    );
    fc.assert(
      fc.property(unit, unit, (peer, result) => {
        const [line = '', none] = lines({ peer, action: 'x', decision: 'note', result });
        expect(none).toBeUndefined();
        expect(line).toMatch(/^[ -~]+$/);
        const read = JSON.parse(line) as { peer: string; result: string };
        for (const [written, given] of [
          [read.peer, peer],
          [read.result, result],
        ] as const) {
          const text = toUSVString(given);
          const isCut = written !== text;
          if (isCut) {
            expect(written.endsWith('…')).toBe(true);
            expect(text.startsWith(written.slice(0, -1))).toBe(true);
          }
          const cost = JSON.stringify(text).replaceAll(/[^ -~]/g, (other) => '\\u0000'.repeat(other.length)).length - 2;
          expect(isCut).toBe(cost > 256);
        }
      }),
      { numRuns: 500 },
    );
  });

  it('cannot be ended, doubled or disguised by a peer', () => {
    // The attacker is a peer, and chooses the texts of its messages (docs/threat-model.md: original, 13).
    const forged =
      'x"}\n{"i":3,"t":"2026-11-05T12:34:56.789Z","peer":"eni.honest","action":"motor.stop","decision":"allow"';
    for (const text of [
      forged,
      'a\r\nb',
      '\u2028\u2029',
      '\u001b[2J\u009b2J',
      'moved \u202eteser',
      '\u0000',
      '\\u000a',
    ])
      for (const name of ['peer', 'action', 'result', 'requestId'] as const) {
        const made = lines({ peer: 'eni.min', action: 'x', decision: 'deny', [name]: text });
        expect(made).toHaveLength(1);
        expect(made[0]).toMatch(/^[ -~]+$/);
        const key = name === 'requestId' ? 'request_id' : name;
        expect((JSON.parse(made[0] ?? '') as Record<string, unknown>)[key]).toBe(text);
      }
  });

  it('has 256 bytes of a text at most, and never half an escape', () => {
    for (const text of ['x'.repeat(257), '\n'.repeat(50), 'x'.repeat(253) + '\n', '😀'.repeat(30), '"'.repeat(200)]) {
      const [line = ''] = lines({ peer: text, action: 'x', decision: 'note' });
      const written = /"peer":"((?:[^"\\]|\\.)*)"/.exec(line)?.[1] ?? '';
      expect(written.length).toBeLessThanOrEqual(256);
      expect(written.length).toBeGreaterThan(238);
      expect(written).toMatch(/\\u2026$/);
    }
    const [whole = ''] = lines({ peer: 'x'.repeat(256), action: 'x', decision: 'note' });
    expect((JSON.parse(whole) as { peer: string }).peer).toBe('x'.repeat(256));
  });

  it('is made of entries only', () => {
    const entry = { peer: 'a', action: 'b', decision: 'allow' } as const;
    for (const wrong of [{ peer: 1 }, { peer: undefined }, { action: null }, { result: 5 }, { requestId: {} }])
      expect(() => auditBody({ ...entry, ...(wrong as object) }, TIME)).toThrow(TypeError);
    for (const wrong of [{ decision: 'maybe' }, { frame: 'A1'.repeat(32) }, { frame: 'a1' }, { frame: 7 }])
      expect(() => auditBody({ ...entry, ...(wrong as object) }, TIME)).toThrow(RangeError);
  });
});
