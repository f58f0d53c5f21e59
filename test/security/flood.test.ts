/**
 * The attacker stands outside, without a key, and has as many connections as it likes: a thousand that say next to nothing, or floods of
 * garbage, of hellos with wrong tags, of hellos that were recorded from an honest client. Honest clients get in meanwhile, nobody else does,
 * and the server tells what happened. How long they take is measured by `benches/flood.js`, whose processes these are.
 */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, it } from 'vitest';

interface Row {
  readonly transport: string;
  readonly attack: string;
  readonly times: readonly number[];
  readonly refused: number;
  readonly errors: readonly string[];
  readonly strangers: number;
  readonly accepted: number;
  readonly failures: number;
  readonly cut: number;
  readonly handshaking: number;
  readonly grownMb: number;
}

const PROGRAM = fileURLToPath(new URL('../../benches/flood.js', import.meta.url));
const run = promisify(execFile);

/** What strangers do; over tls they may also stop after their first flight. */
const ATTACKS = ['slow', 'garbage', 'wrong tags', 'replayed hellos'];

describe.each(['unix', 'tcp', 'tls'])('over %s, a flood of strangers', (transport) => {
  let rows: readonly Row[];
  beforeAll(async () => {
    const arguments_ = [PROGRAM, '--transports', transport, '--seconds', '0.5', '--json'];
    // Its exit code says the same as what is checked here, without a reason.
    const { stdout } = await run(process.execPath, arguments_).catch((error: unknown) => error as { stdout: string });
    rows = JSON.parse(stdout) as Row[];
  }, 60_000);

  const under = (attack: string): Row => {
    const row = rows.find((one) => one.attack === attack);
    if (row === undefined) throw new Error(`nothing about ${attack}`);
    return row;
  };

  it.each(transport === 'tls' ? [...ATTACKS, 'half a handshake'] : ATTACKS)(
    '%s: every honest client gets in, and no stranger',
    (attack) => {
      const { times, refused, errors, strangers } = under(attack);
      expect({ refused, errors }).toEqual({ refused: 0, errors: [] });
      expect(times.length).toBeGreaterThan(0);
      expect(strangers).toBe(0);
    },
  );

  it('a thousand slow connections are held and cost little memory', () => {
    const { handshaking, grownMb } = under('slow');
    expect(handshaking).toBeGreaterThan(900);
    expect(handshaking).toBeLessThanOrEqual(1_024);
    expect(grownMb).toBeLessThan(32);
  });

  it.runIf(transport === 'tls')(
    'a thousand that stop after their first flight are held, and cost what OpenSSL needs for them',
    () => {
      const { handshaking, grownMb } = under('half a handshake');
      expect(handshaking).toBeGreaterThan(900);
      expect(handshaking).toBeLessThanOrEqual(1_024);
      expect(grownMb).toBeLessThan(96);
    },
  );

  it.each(['garbage', 'wrong tags', 'replayed hellos'])('%s: each one is counted as a failed handshake', (attack) => {
    const { accepted, times, failures, cut, handshaking } = under(attack);
    expect(failures).toBeGreaterThan(0);
    // Whoever came is in, has failed, was cut, or is being looked at.
    const strangers = accepted - times.length;
    expect(failures + cut).toBeLessThanOrEqual(strangers + 1_024);
    expect(failures + cut + handshaking).toBeGreaterThanOrEqual(strangers);
  });
});
