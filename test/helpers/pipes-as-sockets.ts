/**
 * Has the transport of named pipes run where there are none: a path is all it asks the system for, and that of a Unix socket does as well.
 * Two things are not as on Windows: one half of a socket can end by itself, and a file is left behind where nobody closes.
 */
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { vi } from 'vitest';

vi.mock('../../src/transport/pipe-path.js', async (original) => {
  if (process.platform === 'win32') return original();
  return { pipePath: (name: string) => join(tmpdir(), `eipc-pipe-${name}`) };
});
