/**
 * Once before the tests against Go: checks that a Go is here, and builds the programs of test/interop/go. Nothing is downloaded, and what is
 * built lies in target/interop.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import type { TestProject } from 'vitest/node';

import { goEnvironment, GO_PROGRAMS, GO_SOURCES } from '../helpers/go-peer.js';

export default function setup(_: TestProject): void {
  const env = goEnvironment();
  // Says by itself which Go is missing.
  execFileSync('scripts/require.sh', ['go'], { stdio: 'inherit' });
  mkdirSync(GO_PROGRAMS, { recursive: true });
  execFileSync('go', ['build', '-o', `${GO_PROGRAMS}/`, './cmd/...'], { cwd: GO_SOURCES, env, stdio: 'inherit' });
}
