/** The programs of docs/identity.md, run as they stand there, print what stands below them. */
import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));
const page = readFileSync(join(root, 'docs/identity.md'), 'utf8');
let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'eipc-identity-'));
  mkdirSync(join(folder, 'node_modules'));
  symlinkSync(root, join(folder, 'node_modules', 'eipc'));
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function printed(name: string): Promise<string> {
  const [, code = ''] = new RegExp(`<!-- example: ${name} -->\\s+\`\`\`js\\n([\\s\\S]*?)\`\`\``).exec(page) ?? [];
  expect(code).toContain("from 'eipc'");
  writeFileSync(join(folder, `${name}.js`), code);
  return (await promisify(execFile)(process.execPath, [`${name}.js`], { cwd: folder })).stdout;
}

describe('the page about identity', () => {
  it('changes rights and ends a session', async () => {
    const [, expected = ''] = /It prints\n\n```\n([\s\S]*?)```/.exec(page) ?? [];
    expect(await printed('rights')).toBe(expected);
  });

  it.skipIf(!existsSync('/bin/ls') || !existsSync('/etc/passwd'))('runs a tool', async () => {
    expect(await printed('tools')).toBe('/etc/passwd\n\nfalse\n');
  });

  it('logs in', async () => {
    expect(await printed('login')).toBe("nia.min [ 'ui:control' ]\nclosed: EIPC_REVOKED\n");
  });
});
