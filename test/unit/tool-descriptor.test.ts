/** Descriptors of tools: what is read, what is refused, and what a template becomes with the arguments of a call. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { hashTool, readTool } from '../../src/tools/tool-descriptor.js';
import type { ToolDescriptor } from '../../src/tools/tool-descriptor.js';
import { readArguments, renderArgv } from '../../src/tools/tool-arguments.js';

/** Paths are those of other systems here; commands of tools have not been tried there. */
const isWindows = process.platform === 'win32';
const good: ToolDescriptor = {
  name: 'files.list',
  capability: 'files:read',
  parameters: {
    folder: { type: 'string' },
    depth: { type: 'integer', minimum: 0, maximum: 9 },
    long: { type: 'boolean' },
    order: { type: 'string', choices: ['-size', 'name'] },
  },
  argv: ['/usr/bin/list', '--depth={depth}', '{order}', '--long={long}', '{folder}'],
};
const args = { folder: 'inbox', depth: 2, long: true, order: 'name' };
const bad = (message: RegExp): unknown =>
  expect.objectContaining({ code: 'EIPC_BAD_PAYLOAD', message: expect.stringMatching(message) as unknown });

function rendered(descriptor: unknown, given: unknown): string[] {
  const tool = readTool(descriptor);
  return renderArgv(tool.argv ?? [], tool, readArguments(tool, given));
}

describe.skipIf(isWindows)('a descriptor', () => {
  it('is read with its defaults, and cannot be changed any more', () => {
    const tool = readTool(good);
    expect(tool).toMatchObject({ namespace: 'files', description: '', timeout: 10_000, maxOutput: 16_384 });
    expect(Object.isFrozen(tool) && Object.isFrozen(tool.argv) && Object.isFrozen(tool.parameters.get('depth'))).toBe(
      true,
    );
  });

  it.each<[string, object, RegExp]>([
    ['a field that is not known', { shell: true }, /shell/],
    ['a name without a namespace', { name: 'list' }, /namespace\.name/],
    ['a name in capitals', { name: 'Files.list' }, /namespace\.name/],
    ['a name with a line end', { name: 'files.list\n' }, /namespace\.name/],
    ['no capability', { capability: '' }, /capability/],
    ['a description with an escape', { description: '\u001b[2J' }, /control characters/],
    ['a command as one text', { argv: '/bin/ls -l' }, /argv/],
    ['no command', { argv: [] }, /argv/],
    ['a program that PATH would find', { argv: ['ls'], parameters: {} }, /absolute path/],
    ['a relative program', { argv: ['./ls'], parameters: {} }, /absolute path/],
    ['a program by a way around', { argv: ['/bin/../tmp/ls'], parameters: {} }, /absolute path/],
    ['a folder for a program', { argv: ['/bin/'], parameters: {} }, /absolute path/],
    ['a shell', { argv: ['/bin/sh', '-c', '{folder}'], parameters: { folder: { type: 'string' } } }, /is a shell/],
    ['a shell behind another program', { argv: ['/usr/bin/env', 'bash'], parameters: {} }, /is a shell/],
    ['busybox', { argv: ['/bin/busybox', 'ls'], parameters: {} }, /is a shell/],
    [
      'a program that depends on a call',
      { argv: ['/bin/{folder}'], parameters: { folder: { type: 'string' } } },
      /program cannot depend/,
    ],
    ['a placeholder for nothing', { argv: ['/bin/ls', '{other}'], parameters: {} }, /\{other\} is no parameter/],
    ['a placeholder on the prototype', { argv: ['/bin/ls', '{constructor}'], parameters: {} }, /is no parameter/],
    ['a brace that opens nothing', { argv: ['/bin/ls', '{'], parameters: {} }, /belongs to no placeholder/],
    ['a placeholder in capitals', { argv: ['/bin/ls', '{Folder}'], parameters: {} }, /belongs to no placeholder/],
    ['an argument with a NUL', { argv: ['/bin/ls', 'a\0b'], parameters: {} }, /control characters/],
    ['a parameter that stands nowhere', { argv: ['/bin/ls'] }, /stands nowhere/],
    ['a parameter of no type', { parameters: { folder: { type: 'path' } } }, /type/],
    ['a parameter with a pattern', { parameters: { folder: { type: 'string', pattern: '(a+)+$' } } }, /pattern/],
    [
      'a minimum above the maximum',
      { parameters: { ...good.parameters, depth: { type: 'integer', minimum: 9, maximum: 0 } } },
      /above the maximum/,
    ],
    ['more time than there is', { timeout: 600_001 }, /timeout/],
    ['more output than there is', { maxOutput: 1_048_577 }, /maxOutput/],
  ])('is refused with %s', (_, change, message) => {
    expect(() => readTool({ ...good, ...change })).toThrow(bad(message));
  });

  it('is refused when it is none', () => {
    for (const wrong of [undefined, null, 7, 'files.list', [], {}])
      expect(() => readTool(wrong)).toThrow(bad(/a tool/));
  });

  it('has another hash for every change, and the same for another order of its fields', () => {
    const hash = hashTool('eai', readTool(good));
    const changes: object[] = [
      { name: 'files.lists' },
      { description: 'x' },
      { capability: 'files:write' },
      { timeout: 10_001 },
      { maxOutput: 16_385 },
      { argv: ['/usr/bin/list', '{folder}', '--depth={depth}', '{order}', '--long={long}'] },
      { parameters: { ...good.parameters, folder: { type: 'string', maxLength: 255 } } },
      { argv: undefined },
    ];
    const hashes = changes.map((change) => {
      const changed = { ...good, ...change };
      if (changed.argv === undefined) delete changed.argv;
      return hashTool('eai', readTool(changed));
    });
    expect(new Set([hash, hashTool('other', readTool(good)), ...hashes]).size).toBe(changes.length + 2);
    const { name, parameters = {}, ...rest } = good;
    const turned = Object.fromEntries(Object.entries(parameters).reverse());
    expect(hashTool('eai', readTool({ ...rest, parameters: turned, name }))).toBe(hash);
  });
});

describe.skipIf(isWindows)('the arguments of a call', () => {
  it('each stay inside of their own argument', () => {
    expect(rendered(good, args)).toEqual(['/usr/bin/list', '--depth=2', 'name', '--long=true', 'inbox']);
    for (const folder of ['a b', '$(reboot)', '`reboot`', '; reboot', '"', "'", '{depth}', '$&', '*', '|', '\\', ''])
      expect(rendered(good, { ...args, folder })[4]).toBe(folder);
  });

  it.each<[string, object, RegExp]>([
    ['one that is not declared', { ...args, more: 1 }, /no parameter 'more'/],
    ['one on the prototype', { ...args, constructor: 'x' }, /no parameter 'constructor'/],
    ['one missing', { folder: 'a', depth: 1, long: true }, /'order' is missing/],
    ['a text for a number', { ...args, depth: '2' }, /must be a number/],
    ['a fraction', { ...args, depth: 1.5 }, /whole number/],
    ['no number', { ...args, depth: Number.NaN }, /must be a number/],
    ['a number out of range', { ...args, depth: 10 }, /from 0 to 9/],
    ['a number for a text', { ...args, folder: 7 }, /must be a string/],
    ['a list for a text', { ...args, folder: ['a'] }, /must be a string/],
    ['a text for a choice', { ...args, order: 'date' }, /one of -size, name/],
    ['a text for yes or no', { ...args, long: 'true' }, /true or false/],
    ['a line end', { ...args, folder: 'a\nb' }, /control characters/],
    ['a NUL', { ...args, folder: 'a\0b' }, /control characters/],
    ['half a character', { ...args, folder: '\ud800' }, /control characters/],
    ['a text that is too long', { ...args, folder: 'x'.repeat(257) }, /256 characters/],
    ['an option', { ...args, folder: '-rf' }, /taken for an option/],
    ['a list', [], /are an object/],
  ])('are refused with %s', (_, given, message) => {
    expect(() => rendered(good, given)).toThrow(bad(message));
  });

  it('may begin with a dash where no program takes them for an option', () => {
    expect(rendered(good, { ...args, order: '-size' })[2]).toBe('-size');
    const behind = {
      ...good,
      argv: ['/usr/bin/list', '--depth={depth}', '{order}', '--long={long}', '--', '{folder}'],
    };
    expect(rendered(behind, { ...args, folder: '-rf' })[5]).toBe('-rf');
    const inside = { ...good, parameters: { folder: { type: 'string' } }, argv: ['/usr/bin/list', '--in={folder}'] };
    expect(rendered(inside, { folder: '-rf' })[1]).toBe('--in=-rf');
    const joined = {
      ...good,
      parameters: { a: { type: 'string' }, b: { type: 'string' } },
      argv: ['/bin/list', '{a}{b}'],
    };
    expect(() => rendered(joined, { a: '', b: '-rf' })).toThrow(bad(/taken for an option/));
  });

  it('are never anything but one argument each, whatever they are', () => {
    const tool = readTool({
      ...good,
      parameters: { a: { type: 'string' }, b: { type: 'string' } },
      argv: ['/bin/x', 'p{a}q', '--', '{b}'],
    });
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), (a, b) => {
        let argv: string[];
        try {
          argv = renderArgv(tool.argv ?? [], tool, readArguments(tool, { a, b }));
        } catch {
          return;
        }
        expect(argv).toEqual(['/bin/x', `p${a}q`, '--', b]);
      }),
    );
  });
});
