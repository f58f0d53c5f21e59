/**
 * What the system calls a pipe. By itself, so that the tests of pipes can run on systems that have none.
 */

/** Returns the path of a pipe for `node:net`; nothing where there are no named pipes. */
export function pipePath(name: string): string | undefined {
  return process.platform === 'win32' ? `\\\\.\\pipe\\eipc-${name}` : undefined;
}
