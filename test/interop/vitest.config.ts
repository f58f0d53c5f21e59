/** `make interop`: EIPC against programs of Go. Not part of `vitest run`: it needs a Go toolchain, which a contributor need not have. */
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  root: fileURLToPath(new URL('../..', import.meta.url)),
  test: {
    include: ['test/interop/go-*.test.ts'],
    globalSetup: ['test/interop/go-setup.ts'],
    // Deadlines for a hung test, never a measurement. `make interop-deep` has a hundred thousand frames in one.
    testTimeout: process.env['EIPC_INTEROP_FRAMES'] === undefined ? 30_000 : 3_600_000,
    hookTimeout: 60_000,
    pool: 'forks',
  },
});
