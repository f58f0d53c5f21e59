/**
 * test/vectors/eipc2-rejects.json from TypeScript: every frame is refused by the native code that ships, with the exact code of its row.
 *
 * The attacker of `data` holds the session's keys or stands between; the one of `hello` holds the key or has recorded a handshake.
 */
import { describe, expect, it } from 'vitest';

import { DESCRIPTORS_FROM, DESCRIPTOR_WORDS, STATE } from '../../../src/native.js';
import {
  codeOfResult,
  setupOfDataReject,
  setupOfHelloReject,
  shakeHands,
  Side,
} from '../../helpers/vector-handshake.js';
import { addon } from '../../helpers/vectors-addon.js';
import type { NativePlane } from '../../helpers/vectors-addon.js';
import { codeOf, hex, load } from '../../helpers/vectors.js';
import type { DataReject, HelloReject } from '../../helpers/vectors.js';

const { data, hello } = load<{ data: readonly DataReject[]; hello: readonly HelloReject[] }>('eipc2-rejects.json');

/** Codes of frames that were refused behind their tag and their counter, both of which are then taken. */
const TAKES_COUNTER: readonly string[] = ['EIPC_BAD_HEADER', 'EIPC_UNSUPPORTED_TYPE'];
const ALERT = 'E'.charCodeAt(0);

const ran: string[] = [];

describe('a plane whose handshake was that of the row', () => {
  it.each(data)('refuses: $name', (row) => {
    const plane = planeOf(row);
    for (const frame of row.accepted_first) expect(open(plane, frame)).toBe(1);
    const before = plane.lanes();
    const result = open(plane, row.frame_hex);
    expect(codeOfResult(result)).toBe(codeOf(row));
    if (!TAKES_COUNTER.includes(codeOf(row))) expect(plane.lanes()).toEqual(before);
    expect(codeOfResult(open(plane, row.frame_hex))).toBe('EIPC_POISONED');
    ran.push(row.name);
  });

  function planeOf(row: DataReject): NativePlane {
    const { server, said } = shakeHands(setupOfDataReject(row));
    expect(said.slice(0, 3)).toEqual([row.client_hello, row.server_hello, row.client_finish]);
    const plane = addon.vectors.takePlanes(server.session)[row.plane];
    if (plane === undefined) throw new Error(`${row.name} has no plane ${row.plane}`);
    return plane;
  }

  function open(plane: NativePlane, frameHex: string): number {
    const frame = hex(frameHex);
    const words = new Uint32Array(DESCRIPTORS_FROM + DESCRIPTOR_WORDS);
    return plane.calls().open(frame, Buffer.alloc(frame.length + 2_048), words);
  }
});

describe('an open session', () => {
  // Those with messages before are not here: a session that shares memory takes none on its stream, and a ring takes no single frame.
  const rows = data.filter(({ plane, accepted_first }) => plane === 'stream' && accepted_first.length === 0);

  it.each(rows)('ends with one alert at: $name', (row) => {
    const { server } = shakeHands(setupOfDataReject(row));
    expect(server.session.state()).toBe(STATE.open);
    const answer = server.receive(hex(row.frame_hex));
    expect({ state: server.session.state(), ended: server.ended, answer: answer?.[6] }).toEqual({
      state: STATE.closed,
      ended: codeOf(row),
      answer: ALERT,
    });
    expect(server.receive(hex(row.frame_hex))).toBeUndefined();
  });

  it('had every row it can have', () => {
    expect(rows.length).toBe(96);
  });
});

describe('a handshake', () => {
  it.each(hello)('of a $receiver fails at: $name', (row) => {
    // The good hello of the row is taken, so it is the fault that is refused.
    const good = sideOf(row);
    const isServer = row.receiver === 'server';
    const answer = good.receive(hex(isServer ? row.good_client_hello : row.good_server_hello));
    expect({ state: good.session.state(), ended: good.ended, answer: answer?.[6] }).toEqual({
      state: STATE.handshaking,
      ended: undefined,
      answer: (isServer ? 'H' : 'R').charCodeAt(0),
    });

    const bad = sideOf(row);
    const alert = bad.receive(hex(row.frame_hex));
    expect({ state: bad.session.state(), ended: bad.ended, answer: alert?.[6] }).toEqual({
      state: STATE.closed,
      ended: codeOf(row),
      answer: ALERT,
    });
    ran.push(`${row.receiver} ${row.name}`);
  });

  function sideOf(row: HelloReject): Side {
    const setup = setupOfHelloReject(row);
    if (row.receiver === 'server') return Side.server(setup);
    const client = Side.client(setup);
    expect(client.transmit()?.toString('hex')).toBe(row.good_client_hello);
    return client;
  }
});

it('every row of the file ran', () => {
  const rows = [...data.map(({ name }) => name), ...hello.map(({ receiver, name }) => `${receiver} ${name}`)];
  expect(ran.toSorted()).toEqual(rows.toSorted());
  expect(rows.length).toBe(120 + 27);
});
