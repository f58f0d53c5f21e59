/** The release workflow against package.json: a target without a job has no binary, and npm would skip its package without a word. */
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';

it('the release builds exactly the targets of package.json', () => {
  const { napi } = JSON.parse(readFileSync('package.json', 'utf8')) as { napi: { targets: string[] } };
  const workflow = readFileSync('.github/workflows/release.yml', 'utf8');
  const built = Array.from(workflow.matchAll(/^ +- \{ target: ([\w-]+),/gm), ([, target]) => target);
  expect(new Set(built)).toEqual(new Set(napi.targets));
  expect(built).toHaveLength(napi.targets.length);
});
