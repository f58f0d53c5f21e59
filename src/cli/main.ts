#!/usr/bin/env node
/**
 * The `eipc` program: builds the command tree, runs it, and turns its outcome into an exit code.
 *
 * What each command does is in `commands/`. Commands load the library only when they need it, so that `--help` and
 * `keygen` work even where the native module cannot be loaded.
 */
import { readFileSync } from 'node:fs';
import { Command, CommanderError } from 'commander';
import { registerApprovals } from './commands/approvals.js';
import { registerAudit } from './commands/audit.js';
import { registerDemo } from './commands/demo.js';
import { registerInspect } from './commands/inspect.js';
import { registerKeygen } from './commands/keygen.js';
import { registerListen } from './commands/listen.js';
import { registerPing } from './commands/ping.js';
import { registerSend } from './commands/send.js';
import { escapeText } from './escape.js';
import { CliError, EXIT } from './exit.js';

const HELP = `
First steps:
  $ eipc demo                              see two processes talk, 10 seconds, nothing to set up
  $ eipc keygen --service eni.min          make the key that both of your processes will use
  $ eipc listen shm:eai --key eni.min.key  print what a client sends
  $ eipc ping shm:eai --key eni.min.key    measure the way to it, from another terminal

Exit codes:
  0  everything went well
  1  something was lost, refused or damaged, or a process died
  2  wrong usage or wrong input: the message says which option, line or value
  3  the environment is in the way: cannot start, cannot write, no native module for this platform
  130, 143, 129, 141  ended by Ctrl-C, SIGTERM, SIGHUP, a closed pipe (after closing everything)
`;

function createProgram(): Command {
  const program = new Command('eipc')
    .description('Secure real-time IPC between neural interfaces and AI layers: tools for the eipc package.')
    .version(readVersion(), '-V, --version', 'print the version')
    .helpOption('-h, --help', 'explain the program or a command')
    .helpCommand('help [command]', 'explain a command')
    .showHelpAfterError('(add --help for the options and examples)')
    .addHelpText('after', HELP)
    // Commander exits with 1 for wrong usage, which here means "something was lost"; main() maps its errors instead.
    .exitOverride();
  registerKeygen(program);
  registerDemo(program);
  registerListen(program);
  registerSend(program);
  registerPing(program);
  registerInspect(program);
  registerAudit(program);
  registerApprovals(program);
  return program;
}

function readVersion(): string {
  const manifest: unknown = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
  const isManifest = typeof manifest === 'object' && manifest !== null && 'version' in manifest;
  return isManifest ? String(manifest.version) : 'unknown';
}

async function main(): Promise<number> {
  // A reader that went away (`eipc demo | head -1`) is no reason for a stack trace; the demo notices it by itself.
  process.stdout.on('error', ignoreClosedPipe);
  process.stderr.on('error', ignoreClosedPipe);
  try {
    await createProgram().parseAsync();
    return Number(process.exitCode ?? EXIT.ok);
  } catch (error) {
    // Commander has printed its message by now. It throws with exit code 0 after --help and --version.
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
    if (error instanceof CliError) {
      process.stderr.write(`eipc: ${error.message}\n`);
      return error.exitCode;
    }
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    process.stderr.write(`eipc: unexpected error, please report it: ${escapeText(text, { maxBytes: 4096 })}\n`);
    return EXIT.refused;
  }
}

function ignoreClosedPipe(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EPIPE') throw error;
}

// Not awaited at the top level: `require` could not load such a module.
void main().then((code) => {
  process.exitCode = code;
});
