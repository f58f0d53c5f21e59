/** The arguments of a call, checked against what the tool declares, and what a template becomes with them. */
import { inspect } from 'node:util';

import type { EipcError } from '../errors.js';
import { badPayload } from '../schema.js';
import { CONTROL, PLACEHOLDER } from './tool-descriptor.js';
import type { Tool, ToolParameter } from './tool-descriptor.js';

const DEFAULT_LENGTH = 256;

/**
 * Checks that the arguments of a call are those that the tool declares, all of them and no others.
 *
 * @throws ProtocolError `EIPC_BAD_PAYLOAD`
 */
export function readArguments(tool: Tool, args: unknown): ReadonlyMap<string, string | number | boolean> {
  if (typeof args !== 'object' || args === null || Array.isArray(args))
    throw wrong(tool, `its arguments are an object, not ${inspect(args, { depth: 0 })}`);
  for (const name of Object.keys(args))
    if (!tool.parameters.has(name)) throw wrong(tool, `it has no parameter ${inspect(name)}`);
  const values = new Map<string, string | number | boolean>();
  for (const [name, parameter] of tool.parameters) {
    if (!Object.hasOwn(args, name)) throw wrong(tool, `the parameter '${name}' is missing`);
    values.set(name, checkValue(tool, name, parameter, (args as Record<string, unknown>)[name]));
  }
  return values;
}

/**
 * Puts the values of a call into the template of its tool: each stays inside of its argument, whatever it contains.
 *
 * @throws ProtocolError `EIPC_BAD_PAYLOAD` for a text that the program would take for an option
 */
export function renderArgv(
  template: readonly string[],
  tool: Tool,
  values: ReadonlyMap<string, string | number | boolean>,
): string[] {
  const dashes = template.indexOf('--');
  return template.map((argument, at) => {
    const rendered = argument.replaceAll(PLACEHOLDER, (_, name: string) => String(values.get(name)));
    const isOperand = dashes !== -1 && at > dashes;
    if (rendered.startsWith('-') && !argument.startsWith('-') && !isOperand && isFree(tool, argument))
      throw wrong(tool, `${inspect(rendered)} would be taken for an option`);
    return rendered;
  });
}

/** Whether a caller may write any text into an argument: not a number, and nothing that was approved with the tool. */
function isFree({ parameters }: Tool, argument: string): boolean {
  return [...argument.matchAll(PLACEHOLDER)].some(([, name = '']) => {
    const parameter = parameters.get(name);
    return parameter?.type === 'string' && parameter.choices === undefined;
  });
}

function checkValue(tool: Tool, name: string, parameter: ToolParameter, value: unknown): string | number | boolean {
  const refused = (why: string): EipcError => wrong(tool, `'${name}' is ${inspect(value)}; ${why}`);
  switch (parameter.type) {
    case 'boolean':
      if (typeof value !== 'boolean') throw refused('it must be true or false');
      return value;
    case 'integer':
    case 'number': {
      const { type, minimum = -Infinity, maximum = Infinity } = parameter;
      if (typeof value !== 'number' || !Number.isFinite(value)) throw refused('it must be a number');
      if (type === 'integer' && !Number.isSafeInteger(value)) throw refused('it must be a whole number');
      if (value < minimum || value > maximum) throw refused(`it must be from ${minimum} to ${maximum}`);
      return value;
    }
    case 'string': {
      const { maxLength = DEFAULT_LENGTH, choices } = parameter;
      if (typeof value !== 'string') throw refused('it must be a string');
      if (choices !== undefined) {
        if (!choices.includes(value)) throw refused(`it must be one of ${choices.join(', ')}`);
        return value;
      }
      if (value.length > maxLength) throw refused(`it may have ${maxLength} characters`);
      if (CONTROL.test(value)) throw refused('it has control characters');
      return value;
    }
  }
}

function wrong({ name }: Tool, message: string): EipcError {
  return badPayload(`a call of '${name}'`, [{ message }]);
}
