/**
 * The addon lends no native memory to JavaScript: Electron and every Node with V8's memory cage refuse such buffers
 * (`napi_no_external_buffers_allowed`). What a binary does not import it cannot call; names of imports stand in it as text.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const root = new URL('../../', import.meta.url);
const built = readdirSync(fileURLToPath(root)).filter((name) => name.endsWith('.node'));

it('an addon was built here', () => {
  expect(built).not.toEqual([]);
});

// That it can be found this way: test/process/kill-points.test.ts.
it.each(built)('%s knows no kill point', (name) => {
  expect(readFileSync(new URL(name, root)).includes('EIPC_KILL')).toBe(false);
});

it.each(built)('%s makes buffers, but none over memory of its own', (name) => {
  const binary = readFileSync(new URL(name, root));
  expect(binary.includes('napi_create_arraybuffer')).toBe(true);
  for (const lending of [
    'napi_create_external_arraybuffer',
    'napi_create_external_buffer',
    'node_api_create_buffer_from',
  ])
    expect(binary.includes(lending), lending).toBe(false);
});
