/**
 * Once before the tests against Go: checks that a Go is here, checks and tests the programs of test/interop/go, and builds them. Nothing is
 * downloaded; what is built lies in target/interop.
 */
import { execFileSync } from 'node:child_process';

import { GO_PROGRAMS, GO_SOURCES, goEnvironment } from '../helpers/go-peer.js';

export default function setup(): void {
  // Says by itself what is missing.
  execFileSync('bash', ['scripts/require.sh', 'go'], { stdio: 'inherit' });
  const go = (program: string, ...args: string[]): string =>
    execFileSync(program, args, {
      cwd: GO_SOURCES,
      env: goEnvironment(),
      stdio: ['ignore', 'pipe', 'inherit'],
    }).toString();
  const unformatted = go('gofmt', '-l', '.');
  if (unformatted !== '') throw new Error(`run gofmt -w in test/interop/go, for\n${unformatted}`);
  go('go', 'vet', './...');
  process.stdout.write(go('go', 'test', './...').replaceAll(/.*\[no test files\]\n/g, ''));
  go('go', 'build', '-o', `${GO_PROGRAMS}/`, './cmd/...');
  process.stdout.write(go('go', 'version'));
}
