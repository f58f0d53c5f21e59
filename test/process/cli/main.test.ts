/** The program as a user meets it: help, usage errors, exit codes. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';

import { run } from './program.js';

describe('help', () => {
  test.each([[['--help']], [['help']], [['demo', '--help']], [['help', 'keygen']]])(
    '%j goes to stdout, teaches examples and exit codes, and succeeds',
    async (args) => {
      const { code, stdout, stderr } = await run(args);
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
      expect(stdout).toMatch(/^ {2}\$ eipc /m);
      expect(stdout).toContain('Exit codes:');
    },
  );

  test('--version prints the version of the package', async () => {
    const manifest = JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8')) as {
      version: string;
    };
    expect(await run(['--version'])).toMatchObject({ code: 0, stdout: `${manifest.version}\n` });
  });
});

describe('wrong usage exits with 2 and says what is wrong on stderr', () => {
  test.each([
    [[], /Usage: eipc/],
    [['demmo'], /unknown command 'demmo'[^]*Did you mean demo/],
    [['demo', '--fast'], /unknown option '--fast'/],
    [['demo', 'file.txt'], /too many arguments/],
    [['demo', '--transport', 'pipe'], /Allowed choices are shm, unix, tcp, tls/],
    [['demo', '--speed', 'warp'], /Allowed choices are max, real/],
    [['demo', '--seconds', '0'], /number of seconds above 0/],
    [['demo', '--seconds', 'Infinity'], /number of seconds above 0/],
    [['demo', '--seconds', '0.5'], /--seconds 0.5 is too short/],
    [['demo', '--seed', '-1'], /whole number/],
    [['demo', '--rate', '10', '--input', 'a.txt'], /outside 64 to 512 Hz/],
    [['demo', '--column', 'C3'], /--column is about a recording: add --input/],
    [['demo', '--input', '/nonexistent.txt'], /there is no such file: check --input/],
    [['demo', '--input', '/'], /not a regular file/],
    [['keygen', '--service', 'NO'], /1 to 64 characters of a-z/],
  ])('%j', async (args, message) => {
    const { code, stdout, stderr } = await run(args);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toMatch(message);
  });
});
