import { configDefaults, defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    exclude: [...configDefaults.exclude, 'test/package/**'], // `make test-package`
    testTimeout: 30_000, // a deadline for a hung test, never a measurement
    pool: 'forks', // sockets, descriptors and native state belong to one process each
  },
});
