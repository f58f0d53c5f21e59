/** The soak of `make soak` for some seconds: what a connection leaves behind in either process would show there as growth. */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';

const SOAK = fileURLToPath(new URL('../soak/run.js', import.meta.url));

it.each(['shm', 'unix'])(
  'connections over %s that come and go leave nothing behind',
  async (transport) => {
    // Ends with another code than 0 when something grew, or a message was wrong.
    const { stdout } = await promisify(execFile)(process.execPath, [SOAK, '--seconds', '5', '--transport', transport]);
    expect(stdout).toMatch(/client: descriptors .* in [1-9]\d* connections/);
  },
  60_000,
);
