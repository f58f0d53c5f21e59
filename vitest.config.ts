import { configDefaults, defineConfig } from 'vitest/config';

/** What depends on how the event loop is entered. */
const EVENT_LOOP = [
  'test/conformance/*.test.ts',
  'test/process/{death,endings,fork,quiet,unread-doorbells,workers}.test.ts',
];

export default defineConfig({
  test: {
    testTimeout: 30_000, // a deadline for a hung test, never a measurement
    // The same for what has to come about. The command line cannot say it: projects do not take it from there.
    expect: { poll: { timeout: Number(process.env['EIPC_TEST_POLL_TIMEOUT'] ?? 1_000) } },
    pool: 'forks', // sockets, descriptors and native state belong to one process each
    maxWorkers: '100%', // most tests wait for another process; vitest would leave one core of two idle
    projects: [
      {
        extends: true,
        test: {
          name: 'eipc',
          include: ['test/**/*.test.ts'],
          // `make test-package`, `make interop`
          exclude: [...configDefaults.exclude, 'test/package/**', 'test/interop/go-*.test.ts'],
        },
      },
      {
        extends: true,
        test: { name: 'without libuv', include: EVENT_LOOP, setupFiles: ['test/helpers/without-libuv.ts'] },
      },
      {
        extends: true,
        test: {
          name: 'pipes',
          include: ['test/conformance/*.test.ts'],
          setupFiles: ['test/helpers/pipes-as-sockets.ts'],
          env: { EIPC_TEST_WAY: 'pipe' },
        },
      },
    ],
  },
});
