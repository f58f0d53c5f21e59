/**
 * What of the vector tests is in the addon that ships: nothing. And what that addon, whose randomness nobody can fix, makes of the rows that
 * need none: key ids, and a server's first look at a ClientHello.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, test } from 'vitest';

import { NativeKey, NativeServer, STATE, StreamSession } from '../../../src/native.js';
import { addressOf, setupOfHelloReject, setupOfVector, Side } from '../../helpers/vector-handshake.js';
import type { Setup } from '../../helpers/vector-handshake.js';
import { addon, VECTORS_ADDON } from '../../helpers/vectors-addon.js';
import { codeOf, hex, load } from '../../helpers/vectors.js';
import type { HelloReject, Vector } from '../../helpers/vectors.js';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const shipped = readdirSync(ROOT).filter((name) => name.endsWith('.node'));

/** What no shipped binary may contain: each is an export of the vectors addon, and nobody else would call anything so. */
const NAMES = ['clientSession', 'serverSession', 'takePlanes', 'setTime', 'MacSession'];

describe('the addon of the vector tests', () => {
  test('has the names that the shipped one must not have', () => {
    expect(Object.keys(addon.vectors)).toEqual(expect.arrayContaining(NAMES));
    const bytes = readFileSync(VECTORS_ADDON);
    expect(NAMES.filter((name) => !bytes.includes(name))).toEqual([]);
  });
});

describe('what ships', () => {
  test('is there to be looked at', () => {
    expect(shipped.length).toBeGreaterThan(0);
  });

  test.each(shipped)('%s exports everything the other does but the vectors', (name) => {
    const exported = Object.keys(createRequire(import.meta.url)(`${ROOT}${name}`) as object);
    expect(exported).not.toContain('vectors');
    expect([...exported, 'vectors'].toSorted()).toEqual(Object.keys(addon).toSorted());
  });

  test.each(shipped)('%s contains none of the names', (name) => {
    const bytes = readFileSync(`${ROOT}${name}`);
    expect(bytes.includes('StreamSession')).toBe(true); // names can be found this way
    expect(NAMES.filter((word) => bytes.includes(word))).toEqual([]);
  });

  test('index.d.ts names none of them', () => {
    const text = readFileSync(`${ROOT}index.d.ts`, 'utf8');
    expect(text).toContain('StreamSession');
    expect([...NAMES, 'vectors'].filter((word) => text.includes(word))).toEqual([]);
  });
});

describe('the addon that ships', () => {
  const { vectors } = load<{ vectors: readonly Vector[] }>('eipc2.json');
  const { hello } = load<{ hello: readonly HelloReject[] }>('eipc2-rejects.json');
  // A session is bound to TLS by its exporter, of which a vector has the hash alone.
  const good = vectors.filter(({ channel_binding }) => /^0+$/.test(channel_binding));
  const bad = hello.filter(({ receiver }) => receiver === 'server');

  it.each(vectors)('has the key id of $name', ({ psk_hex, key_id }) => {
    expect(NativeKey.fromBytes(hex(psk_hex), false).id).toBe(key_id);
  });

  it.each(good)('answers the hello of $name', (vector) => {
    expect(look(setupOfVector(vector), vector.client_hello)).toEqual(answered);
  });

  it.each(bad)('refuses: $name', (row) => {
    const setup = setupOfHelloReject(row);
    expect(look(setup, row.good_client_hello)).toEqual(answered);
    const refused = { state: STATE.closed, ended: codeOf(row), answer: 'E'.charCodeAt(0) };
    expect(look(setup, row.frame_hex)).toEqual(refused);
  });

  it('saw every row it can see', () => {
    expect([vectors.length, good.length, bad.length]).toEqual([12, 10, 14]);
  });

  const answered = { state: STATE.handshaking, ended: undefined, answer: 'H'.charCodeAt(0) };

  /** Shows one hello to a fresh server. */
  function look(setup: Setup, helloHex: string): { state: number; ended: string | undefined; answer?: number } {
    const side = new Side(StreamSession.server(addressOf(setup, { NativeKey, NativeServer })));
    const answer = side.receive(hex(helloHex))?.[6];
    return { state: side.session.state(), ended: side.ended, ...(answer === undefined ? {} : { answer }) };
  }
});
