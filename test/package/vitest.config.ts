/** `make test-package`: what `npm install eipc` gives. Not part of `vitest run`: it packs, installs and compiles for a minute. */
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

import { StepTable } from './step-table.js';

export default defineConfig({
  root: fileURLToPath(new URL('../..', import.meta.url)),
  test: {
    include: ['test/package/*.test.ts'],
    globalSetup: ['test/package/setup.ts'],
    reporters: ['default', new StepTable()],
    fileParallelism: false, // npm keeps every core busy by itself
    testTimeout: 120_000, // a deadline for a hung npm, never a measurement
    hookTimeout: 120_000,
  },
});
