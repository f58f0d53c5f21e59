/**
 * What a tool is: its name, who may call it, what it is given, and for one that runs a command, which. A descriptor comes from the service that
 * offers the tool, so it is as hostile as a message: it is read strictly, kept as a frozen copy, and known by the hash of it.
 */
import { createHash } from 'node:crypto';
import { posix, win32 } from 'node:path';
import * as v from 'valibot';

import { badPayload } from '../schema.js';

/** What a tool is given under one name. */
export type ToolParameter =
  | {
      readonly type: 'string';
      /** UTF-16 units at most, 1 … 4 096. Default 256. */
      readonly maxLength?: number;
      /** The only values there are. */
      readonly choices?: readonly string[];
    }
  | { readonly type: 'integer' | 'number'; readonly minimum?: number; readonly maximum?: number }
  | { readonly type: 'boolean' };

/** What a service says about a tool that it offers. */
export interface ToolDescriptor {
  /** `namespace.name`, in small letters, such as `motor.move`. The namespace is what stands before the first dot. */
  readonly name: string;
  readonly description?: string;
  /** The capability that a peer's effective rights must contain to call it. */
  readonly capability: string;
  /** What it is given, each of it in every call, and nothing else. */
  readonly parameters?: Readonly<Record<string, ToolParameter>>;
  /**
   * The command it runs: an absolute path, then arguments, in which `{name}` stands for a parameter. Absent: the service that offers it serves
   * it itself.
   */
  readonly argv?: readonly string[];
  /** Milliseconds that the command may take, 1 … 600 000. Default 10 000. */
  readonly timeout?: number;
  /** Bytes that the command may write, 1 … 1 048 576. Default 16 384. */
  readonly maxOutput?: number;
}

/** A descriptor that was read: every default is written out. */
export interface Tool {
  readonly name: string;
  readonly namespace: string;
  readonly description: string;
  readonly capability: string;
  readonly parameters: ReadonlyMap<string, ToolParameter>;
  readonly argv: readonly string[] | undefined;
  readonly timeout: number;
  readonly maxOutput: number;
}

/** A parameter in an argument of a template. */
export const PLACEHOLDER = /\{([a-z][a-z0-9_]{0,63})\}/g;
/** What no argument of a command contains. */
export const CONTROL = /[\u0000-\u001f\u007f-\u009f]|\p{Surrogate}/u;
/** The longest argument of a template, and the longest value of a parameter. */
const MAX_TEXT = 4_096;
const MAX_ARGUMENTS = 64;
const MAX_PARAMETERS = 32;
/** Programs that take what they are given for programs. */
const SHELLS = /^(?:(?:ba|da|z|k|mk|pdk|a|c|tc|fi|r|rba)?sh|busybox|cmd|powershell|pwsh)(?:\.exe)?$/i;

const clean = v.check((text: string) => !CONTROL.test(text), 'has control characters');
const bound = v.pipe(v.number(), v.finite());
const parameter = v.variant('type', [
  v.strictObject({
    type: v.literal('string'),
    maxLength: v.exactOptional(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(MAX_TEXT))),
    choices: v.exactOptional(
      v.pipe(v.array(v.pipe(v.string(), v.maxLength(MAX_TEXT), clean)), v.minLength(1), v.maxLength(256)),
    ),
  }),
  v.strictObject({
    type: v.picklist(['integer', 'number']),
    minimum: v.exactOptional(bound),
    maximum: v.exactOptional(bound),
  }),
  v.strictObject({ type: v.literal('boolean') }),
]);
const descriptor = v.strictObject({
  name: v.pipe(
    v.string(),
    v.maxLength(128),
    v.regex(/^[a-z][a-z0-9_-]*(?:\.[a-z0-9_-]+)+$/, 'is not namespace.name, in small letters'),
  ),
  description: v.exactOptional(v.pipe(v.string(), v.maxLength(256), clean), ''),
  capability: v.pipe(v.string(), v.regex(/^[\x21-\x7e]{1,255}$/, 'is not 1 to 255 printable ASCII characters')),
  parameters: v.exactOptional(
    v.pipe(
      v.record(v.pipe(v.string(), v.regex(/^[a-z][a-z0-9_]{0,63}$/, 'is no name of a parameter')), parameter),
      v.maxEntries(MAX_PARAMETERS),
    ),
    {},
  ),
  argv: v.exactOptional(
    v.pipe(v.array(v.pipe(v.string(), v.maxLength(MAX_TEXT), clean)), v.minLength(1), v.maxLength(MAX_ARGUMENTS)),
  ),
  timeout: v.exactOptional(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(600_000)), 10_000),
  maxOutput: v.exactOptional(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(1_048_576)), 16_384),
});

/**
 * Reads a descriptor.
 *
 * @throws ProtocolError `EIPC_BAD_PAYLOAD` naming each field that is missing, wrong or unknown, and what is wrong with a template
 */
export function readTool(given: unknown): Tool {
  const result = v.safeParse(descriptor, given);
  if (!result.success) throw badPayload('a tool', result.issues);
  const { name, argv, parameters, ...rest } = result.output;
  // A map, by which no parameter is ever found on a prototype; sorted, so that the same tool has the same hash.
  const sorted = new Map(Object.entries(parameters).sort(([one], [other]) => (one < other ? -1 : 1)));
  for (const [key, one] of sorted) freezeParameter(key, one);
  if (argv !== undefined) checkTemplate(argv, sorted);
  return Object.freeze({
    ...rest,
    name,
    namespace: name.slice(0, name.indexOf('.')),
    parameters: sorted,
    argv: argv === undefined ? undefined : Object.freeze(argv),
  });
}

/** Returns what a tool is approved by: SHA-256 of everything about it, 64 hex digits. */
export function hashTool(owner: string, tool: Tool): string {
  const { name, description, capability, parameters, argv, timeout, maxOutput } = tool;
  const all = [owner, name, description, capability, [...parameters].map(inOrder), argv ?? null, timeout, maxOutput];
  return createHash('sha256').update('EIPC/2 tool\0').update(JSON.stringify(all)).digest('hex');
}

function inOrder([name, one]: readonly [string, ToolParameter]): unknown {
  return [name, Object.entries(one).sort(([left], [right]) => (left < right ? -1 : 1))];
}

function freezeParameter(name: string, one: ToolParameter): void {
  if ('minimum' in one && 'maximum' in one && one.minimum > one.maximum)
    throw wrong(`parameters.${name}: the minimum ${one.minimum} is above the maximum ${one.maximum}`);
  if (one.type === 'string') Object.freeze(one.choices);
  Object.freeze(one);
}

/** Checks that a template runs one known program, with every parameter in its place and nothing else in any. */
function checkTemplate(argv: readonly string[], parameters: ReadonlyMap<string, ToolParameter>): void {
  const [program = ''] = argv;
  const path = process.platform === 'win32' ? win32 : posix;
  if (
    !path.isAbsolute(program) ||
    path.normalize(program) !== program ||
    path.basename(program) === '' ||
    program.endsWith(path.sep)
  )
    throw wrong(`argv.0: '${program}' is not the absolute path of a program, without '.', '..' and doubled slashes`);
  const used = new Set<string>();
  for (const [at, argument] of argv.entries()) {
    const shell = path.basename(argument);
    if (SHELLS.test(shell))
      throw wrong(`argv.${at}: '${shell}' is a shell, to which nothing is ever passed; name the program itself`);
    for (const [, name = ''] of argument.matchAll(PLACEHOLDER)) {
      if (at === 0) throw wrong(`argv.0: the program cannot depend on the parameter {${name}}`);
      if (!parameters.has(name)) throw wrong(`argv.${at}: {${name}} is no parameter of this tool`);
      used.add(name);
    }
    if (/[{}]/.test(argument.replaceAll(PLACEHOLDER, '')))
      throw wrong(`argv.${at}: a brace that belongs to no placeholder; a placeholder is {name}, in small letters`);
  }
  for (const name of parameters.keys())
    if (!used.has(name)) throw wrong(`parameters.${name}: stands nowhere in argv, so that it would change nothing`);
}

function wrong(message: string): Error {
  return badPayload('a tool', [{ message }]);
}
