/**
 * `eipc keygen`: makes one service's key file and shows how both sides use it.
 *
 * A key file holds 32 raw random bytes. Whoever reads it *is* the service, so it is created for its owner only, never
 * overwrites a file, never follows a link, and is on the disk before the command says so. The command does not load the
 * library: `readKeyFile` appears only in the text it prints.
 */
import { resolve } from 'node:path';
import { type Command, InvalidArgumentError } from 'commander';
import { escapeText } from '../escape.js';
import { CliError, errorCode, errorText, EXIT } from '../exit.js';
import { createKey, KEY_BYTES } from '../../new-key.js';
import { writeNewFile } from '../../owner-file.js';

const SERVICE_ID = /^[a-z0-9._-]{1,64}$/;

const HELP = `
Examples:
  $ eipc keygen                                    writes eni.min.key for the service eni.min
  $ eipc keygen --service eni.cortex --out /etc/eipc/cortex.key
  $ eipc keygen --service eni.min --json           the same facts for a script

The file holds ${KEY_BYTES} random bytes with mode 0600. Both processes need it: copy it to another machine over a channel
you trust (scp, not mail), keep the mode, and never commit it. A key names one service: make one for each.

Exit codes:
  0  the key was written
  1  refused: the file already exists (a key is never overwritten; choose another --out, or move the old key away)
  2  wrong usage
  3  the file cannot be written there
`;

interface KeygenOptions {
  service: string;
  out?: string;
  json?: true;
}

/** Adds the command to the program. */
export function registerKeygen(program: Command): void {
  program
    .command('keygen')
    .summary("make a service's key file and print how to use it")
    .description('Make a 32-byte key file for one service and print the configuration of both sides.')
    .option('--service <id>', 'the service that will prove itself with this key', parseServiceId, 'eni.min')
    .option('--out <file>', 'where to write it (default: <service>.key in the current folder)')
    .option('--json', 'print one JSON object instead of text')
    .addHelpText('after', HELP)
    .action(async (options: KeygenOptions) => {
      const file = resolve(options.out ?? `${options.service}.key`);
      await writeKeyFile(file);
      const shown = options.out ?? `${options.service}.key`;
      const snippets = configurationSnippets(options.service, shown);
      if (options.json === true) {
        const facts = { service: options.service, file, bytes: KEY_BYTES, mode: '0600', snippets };
        process.stdout.write(`${JSON.stringify(facts)}\n`);
        return;
      }
      process.stdout.write(
        `Wrote ${escapeText(shown, { maxBytes: 4096 })}: a ${KEY_BYTES}-byte key for ${options.service}, readable by you only.\n\n` +
          `EAI, the side that listens:\n\n${indent(snippets.listen)}\n\n` +
          `ENI, the side that connects:\n\n${indent(snippets.connect)}\n`,
      );
    });
}

/** Checks a service id: 1 to 64 of `a-z 0-9 . _ -`. */
export function parseServiceId(value: string): string {
  if (SERVICE_ID.test(value)) return value;
  throw new InvalidArgumentError('A service id is 1 to 64 characters of a-z, 0-9, ".", "_" and "-", e.g. eni.min.');
}

/**
 * Creates the file with a new key.
 *
 * @throws {CliError} `refused` if the path exists, `environment` if it cannot be written
 */
export async function writeKeyFile(file: string): Promise<void> {
  const shown = escapeText(file, { maxBytes: 4096 });
  const key = createKey();
  try {
    await writeNewFile(file, key);
  } catch (error) {
    if (errorCode(error) === 'EEXIST') {
      const remedy = 'a key is never overwritten; choose another --out, or move the old key away first';
      throw new CliError(EXIT.refused, `${shown} exists: ${remedy}`, { cause: error });
    }
    throw new CliError(EXIT.environment, `cannot write ${shown}: ${errorText(error)}`, { cause: error });
  } finally {
    key.fill(0);
  }
}

/** Writes the code both sides need, with the names filled in. */
export function configurationSnippets(service: string, file: string): { listen: string; connect: string } {
  const path = quoteForCode(file);
  const listen = [
    `import { listen, readKeyFile } from 'eipc';`,
    ``,
    `const server = await listen('shm:eai', {`,
    `  services: { '${service}': { key: await readKeyFile(${path}), capabilities: ['ui:control'] } },`,
    `});`,
    `server.router.handle('intent', { capability: 'ui:control' }, async (message, peer) => ({ status: 'ok' }));`,
  ];
  const connect = [
    `import { connect, readKeyFile } from 'eipc';`,
    ``,
    `const eai = await connect('shm:eai', { serviceId: '${service}', key: await readKeyFile(${path}) });`,
    `const ack = await eai.request({ type: 'intent', priority: 0, capability: 'ui:control', payload: { intent: 'move' } });`,
    `await eai.close();`,
  ];
  return { listen: listen.join('\n'), connect: connect.join('\n') };
}

/** Writes a string literal in single quotes that survives both JavaScript and the terminal. */
function quoteForCode(text: string): string {
  const inner = JSON.stringify(text).slice(1, -1).replaceAll('\\"', '"').replaceAll("'", "\\'");
  return `'${inner.replace(/[\u007f-\uffff]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)}'`;
}

function indent(text: string): string {
  return text.replaceAll(/^(?=.)/gm, '  ');
}
