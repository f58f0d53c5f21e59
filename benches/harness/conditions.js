/** Under which conditions figures were taken. Nothing that names the machine or its folders. */
import { readFileSync } from 'node:fs';
import { arch, cpus, loadavg, release, type } from 'node:os';

/**
 * @param {Pick<import('./options.js').RunOptions, 'settings' | 'rounds' | 'isShort'> & { sizes: readonly number[] }} options
 * @returns {Record<string, string>}
 */
export function readConditions({ settings, rounds, isShort, sizes }) {
  const [cpu] = cpus();
  const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
  return {
    date: new Date().toISOString().slice(0, 16).replace('T', ' ') + ' UTC',
    CPU: `${cpu?.model.trim() ?? 'unknown'}, ${cpus().length} cores, ${arch()}`,
    kernel: `${type()} ${release()}`,
    'load average at the start': loadavg()[0].toFixed(2),
    Node: process.version,
    EIPC: version,
    payload: `${sizes.join(' and ')} bytes`,
    points: `rounds: ${rounds}, each of ${settings.seconds} s after ${settings.warmUpSeconds} s of warm-up${isShort ? ' (short: the figures mean nothing)' : ''}`,
    'fixed rate': `${settings.rate} messages a second`,
  };
}
