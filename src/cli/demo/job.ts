/**
 * What the parent tells a child: a line of JSON, then the key, over the child's stdin.
 *
 * The key goes through a pipe because the alternatives leak: argv is visible to every user, the environment to the
 * owner's other processes and to crash reports, a file stays when a process is killed. The pipe also tells the child that
 * its parent is gone: stdin ends, whatever the parent died of.
 */
import type { Readable } from 'node:stream';
import { KEY_BYTES } from '../../new-key.js';
import type { SignalSpec } from './signal.js';

/** The names both sides of the demo use. */
export const DEMO_SERVICE = 'eni.min';
export const DEMO_CAPABILITY = 'ui:control';
/** The service whose sessions are attacked, and how many requests each of them makes. */
export const DECOY_SERVICE = 'eni.decoy';
export const DECOY_MESSAGES = 8;

export interface EaiJob {
  readonly role: 'eai';
  readonly address: string;
  /** Addresses for the decoy; absent when nobody attacks. Its key follows that of the ENI. */
  readonly decoys?: readonly string[];
}

export interface DecoyJob {
  readonly role: 'decoy';
  /** Where the attacker's proxies listen. */
  readonly addresses: readonly string[];
}

export interface EniJob {
  readonly role: 'eni';
  readonly address: string;
  /** Of EAI's certificate; null without TLS. */
  readonly fingerprint: string | null;
  readonly signal: SignalSpec;
  readonly speed: Speed;
}

export type Job = EaiJob | EniJob | DecoyJob;

/** `real`: samples at their own rate; `max`: as fast as they are taken. */
export type Speed = 'max' | 'real';

/** What a child was told. */
export interface ReceivedJob {
  readonly job: Job;
  readonly key: Uint8Array;
  readonly decoyKey: Uint8Array | null;
  readonly stop: AbortSignal;
}

const MAX_JOB_BYTES = 65_536;

/** Writes what {@link readJob} reads. */
export function encodeJob(job: Job, ...keys: readonly Uint8Array[]): Buffer {
  return Buffer.concat([Buffer.from(`${JSON.stringify(job)}\n`), ...keys]);
}

/**
 * Reads the job and goes on watching the stream.
 *
 * @returns the job, its key, the decoy's key if the job is about one beside its own, and a signal that aborts when the
 *   stream ends
 * @throws if the stream ends or misbehaves before the job is complete
 */
export function readJob(stdin: Readable): Promise<ReceivedJob> {
  const ended = new AbortController();
  return new Promise((resolve, reject) => {
    let received = Buffer.alloc(0);
    let isComplete = false;
    stdin.on('data', (chunk: Buffer) => {
      if (isComplete) return;
      received = Buffer.concat([received, chunk]);
      if (received.length > MAX_JOB_BYTES) reject(new Error('the job is too long'));
      const lineEnd = received.indexOf('\n');
      if (lineEnd === -1 || received.length < lineEnd + 1 + KEY_BYTES) return;
      try {
        // Written by the parent, which is the same version of the same program.
        const job = JSON.parse(received.toString('utf8', 0, lineEnd)) as Job;
        const hasDecoy = job.role === 'eai' && job.decoys !== undefined;
        if (hasDecoy && received.length < lineEnd + 1 + 2 * KEY_BYTES) return;
        const key = Uint8Array.from(received.subarray(lineEnd + 1, lineEnd + 1 + KEY_BYTES));
        const decoyKey = Uint8Array.from(received.subarray(lineEnd + 1 + KEY_BYTES, lineEnd + 1 + 2 * KEY_BYTES));
        resolve({ job, key, decoyKey: hasDecoy ? decoyKey : null, stop: ended.signal });
      } catch (error) {
        reject(new Error('the job is not JSON', { cause: error }));
      }
      isComplete = true;
      received.fill(0);
    });
    const end = () => {
      ended.abort();
      reject(new Error('stdin ended before the job was complete; this program is started by `eipc demo`'));
    };
    stdin.once('end', end);
    stdin.once('error', end);
  });
}
