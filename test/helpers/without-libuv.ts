/** A set-up file: what its test files run, and the processes they start, do without libuv's functions. */
import { expect } from 'vitest';

import { doWithoutLibuv, threadPoller } from '../../src/native.js';

doWithoutLibuv();
expect(threadPoller().stats().isOnLibuv).toBe(false);
process.env['NODE_OPTIONS'] = `--import=${new URL('../process/fixtures/without-libuv.js', import.meta.url).href}`;
