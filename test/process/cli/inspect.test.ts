/** `eipc inspect` on files, hex digits and stdin; what is in frames was written by somebody else. */
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { encodeFrame, encodeHeader } from '../../../src/index.js';
import { load } from '../../helpers/vectors.js';
import type { Vector } from '../../helpers/vectors.js';
import { Program, run } from './program.js';

const KEY = 'a key of the original';
const frame = (payload: string, requestId = 'r1'): Buffer => {
  const header = encodeHeader({ serviceId: 'nia.min', requestId, sequence: 1, timestamp: 1_775_217_600_000_000_000n });
  return Buffer.from(encodeFrame({ type: 'intent', header, payload: Buffer.from(payload) }, Buffer.from(KEY)));
};

let cwd = '';
const write = (name: string, content: Uint8Array | string): void => writeFileSync(join(cwd, name), content);
const look = (...args: string[]): ReturnType<typeof run> => run(['inspect', ...args], { cwd });

beforeAll(() => {
  cwd = mkdtempSync(join(tmpdir(), 'eipc-inspect-'));
  write('v1.key', KEY);
  chmodSync(join(cwd, 'v1.key'), 0o600);
});
afterAll(() => rmSync(cwd, { recursive: true, force: true }));

describe('eipc inspect', () => {
  test('shows a v1 frame of a file and verifies its tag', async () => {
    write('good.bin', frame('{"intent":"stop"}'));
    const { code, stdout, stderr } = await look('good.bin', '--key-file', 'v1.key', '--v1');
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(/^frame 1: v1, \d+ bytes from byte 0 on\n/);
    expect(stdout).toMatch(/ 6 +1 +type +intent\n/);
    expect(stdout).toMatch(/ 7 +1 +flags +0x01\n/);
    expect(stdout).toMatch(/ service_id +nia\.min\n/);
    expect(stdout).toMatch(/ payload +\{"intent":"stop"\}\n/);
    expect(stdout).toContain('tag: verified with this key');
  });

  test('says at which byte a frame is bad, and why, and fails', async () => {
    const bytes = frame('{}');
    bytes.writeUInt8(bytes.readUInt8(bytes.length - 1) ^ 1, bytes.length - 1);
    write('bad.bin', Buffer.concat([frame('{}'), bytes]));
    const { code, stdout } = await look('bad.bin', '--key-file', 'v1.key', '--v1');
    const at = bytes.length - 32;
    expect(code).toBe(1);
    expect(stdout).toContain(`FAULT at byte ${at} (byte ${bytes.length + at} of the input): EIPC_INTEGRITY: `);
    expect(stdout.match(/FAULT/g)).toHaveLength(1);
  });

  test('reads hex digits from the command line and from stdin, one JSON object for each frame', async () => {
    const [vector] = load<{ vectors: readonly Vector[] }>('eipc2.json').vectors;
    const sent = [vector?.client_hello, vector?.server_hello, vector?.client_finish, vector?.frames[0]?.frame_hex];
    const hello = await look('--hex', vector?.client_hello ?? '', '--json');
    expect(JSON.parse(hello.stdout)).toMatchObject({ frame: 1, protocol: 'EIPC/2', tag: 'unverified' });

    const program = new Program(['inspect', '--json'], { cwd });
    program.child.stdin.end(`${sent.join('\n')}\n`);
    const { code, stdout } = await program.ended;
    const shown = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { fields: { name: string; value: unknown }[] });
    expect(code).toBe(0);
    expect(shown.map(({ fields }) => fields.find(({ name }) => name === 'type')?.value)).toEqual([
      'auth',
      'challenge',
      'auth_response',
      'auth_response',
    ]);
  });

  test('finds the frames of a stream by the length in front, and refuses one above the limit', async () => {
    const length = (value: number): Buffer => {
      const bytes = Buffer.alloc(4);
      bytes.writeUInt32BE(value);
      return bytes;
    };
    const good = frame('{}');
    write('stream.bin', Buffer.concat([length(good.length), good, length(2 ** 20 + 1), good]));
    const { code, stdout } = await look('stream.bin', '--json');
    const shown = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as object);
    expect(code).toBe(1);
    expect(shown[0]).toMatchObject({ at: 4, prefix: good.length, length: good.length });
    expect(shown[1]).toMatchObject({ fault: { at: -4, code: 'EIPC_FRAME_TOO_LARGE' } });
  });

  // The attacker wrote the frame, and somebody looks at it in a terminal.
  test('prints nothing of a frame that a terminal would obey', async () => {
    write('hostile.bin', frame('{"a":"\u001b]0;owned\u0007\u202e\u009b"}', '\u001b[2J\u202e'));
    for (const args of [[], ['--json']]) {
      const { stdout } = await look('hostile.bin', ...args);
      expect(stdout).toMatch(/intent/);
      expect(stdout).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u2028-\u202e]/);
    }
  });

  test('says what is wrong with its input, and with the key file', async () => {
    write('empty.bin', '');
    expect(await look('empty.bin')).toMatchObject({ code: 2, stderr: expect.stringContaining('empty') as string });
    expect(await look('--hex', '45x4')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('"x" is no hex') as string,
    });
    expect(await look('missing.bin')).toMatchObject({
      code: 3,
      stderr: expect.stringContaining('missing.bin') as string,
    });
    expect(await look('a', '--hex', '45')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('not both') as string,
    });
    const short = await look('good.bin', '--key-file', 'v1.key');
    expect(short).toMatchObject({ code: 3, stderr: expect.stringContaining('too short') as string });
    expect(short.stderr).not.toContain(KEY);
  });
});
