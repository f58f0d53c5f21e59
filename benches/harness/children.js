/** Processes of a benchmark that are told what to do and answer, one order at a time. They end with this one. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

/** @type {Set<import('node:child_process').ChildProcess>} */
const children = new Set();
process.on('exit', () => {
  for (const child of children) child.kill('SIGKILL');
});

/**
 * @param {URL} program
 * @param {readonly string[]} [prefix] - put in front of the command, to pin it to a core (placement.js)
 */
export function start(program, prefix = []) {
  const [command, ...args] = [...prefix, process.execPath, fileURLToPath(program)];
  const child = spawn(command, args, { stdio: ['inherit', 'inherit', 'inherit', 'ipc'] });
  children.add(child);
  child.once('exit', () => children.delete(child));
  return child;
}

/** @param {import('node:child_process').ChildProcess} child */
export async function stop(child) {
  const ended = once(child, 'exit');
  child.disconnect();
  await ended;
}

/**
 * Sends an order and returns the answer.
 *
 * @param {import('node:child_process').ChildProcess} child
 * @param {object} order
 * @returns {Promise<any>}
 */
export async function ask(child, order) {
  const over = new AbortController();
  const answer = once(child, 'message', { signal: over.signal });
  const ended = once(child, 'exit', { signal: over.signal }).then(() => {
    throw new Error('a process ended early');
  });
  child.send(order);
  try {
    const [reply] = await Promise.race([answer, ended]);
    return reply;
  } finally {
    over.abort();
    await Promise.allSettled([answer, ended]);
  }
}

/**
 * The other side: calls `obey` with each order and answers with what it resolves to.
 *
 * @param {(order: any) => Promise<object>} obey
 */
export function serve(obey) {
  process.on('message', (order) => void obey(order).then((answer) => process.send?.(answer)));
  process.on('disconnect', () => process.exit());
}
