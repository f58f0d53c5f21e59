/** A set-up file: everything in its test file runs as in a runtime that has no libuv to call. */
import { expect } from 'vitest';

import { doWithoutLibuv, threadPoller } from '../../src/native.js';

doWithoutLibuv();
expect(threadPoller().stats().isOnLibuv).toBe(false);
