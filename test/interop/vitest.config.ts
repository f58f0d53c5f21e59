/** `make interop`: EIPC against programs of Go. Not part of `vitest run`: it needs a Go toolchain, which a contributor need not have. */
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  root: fileURLToPath(new URL('../..', import.meta.url)),
  test: {
    include: ['test/interop/go-*.test.ts'],
    globalSetup: ['test/interop/go-setup.ts'],
    testTimeout: Number(process.env['EIPC_INTEROP_FRAMES'] ?? 0) > 10_000 ? 1_800_000 : 60_000, // a deadline for a hung test, never a measurement
    hookTimeout: 60_000,
    pool: 'forks',
  },
});
