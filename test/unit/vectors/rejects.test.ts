/**
 * test/vectors/rejects.json from TypeScript: v1 frames that must be refused, by a session and by the codec alone, with the exact code.
 * The attacker stands between two peers, or is a peer that holds the key and writes what it likes.
 */
import { expect, it } from 'vitest';

import { STATE } from '../../../src/native.js';
import { addon } from '../../helpers/vectors-addon.js';
import { codeOf, hex, load } from '../../helpers/vectors.js';
import type { RejectV1 } from '../../helpers/vectors.js';

const { key_hex, cases } = load<{ key_hex: string; cases: readonly RejectV1[] }>('rejects.json');
const { vectors: native } = addon;
const key = hex(key_hex);

const ran: string[] = [];

it.each(cases)('refuses: $name', (row) => {
  const frame = hex(row.frame_hex);
  const session = new native.MacSession(key, 'eipc-server', 'eni.min');
  const code = codeOf(row);
  expect(() => session.receive(frame)).toThrow(expect.objectContaining({ code }));
  expect(session.state()).toBe(STATE.closed);

  // A bad header is well framed: the codec hands it out, and whoever reads it finds the fault.
  const read = (): unknown => {
    const decoded = native.decodeFrame(frame, key);
    expect(code).toBe('EIPC_BAD_HEADER');
    return native.readHeader(decoded.header);
  };
  expect(read).toThrow(expect.objectContaining({ code }));
  ran.push(row.name);
});

it('every row of the file ran', () => {
  expect(ran).toEqual(cases.map(({ name }) => name));
  expect(cases.length).toBe(17);
});
