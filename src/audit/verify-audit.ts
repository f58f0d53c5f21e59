/**
 * Verifies an audit log: reads it in chunks, which the core checks (docs/audit.md, "Verifying").
 */
import { open, readFile } from 'node:fs/promises';
import { inspect } from 'node:util';

import { checkNames } from '../check.js';
import { nativeError } from '../errors.js';
import { nativeKey } from '../key.js';
import type { Key } from '../key.js';
import { NativeAuditVerifier } from '../native.js';

const READ = 262_144;

/** Options of `verifyAudit`. */
export interface VerifyAuditOptions {
  /** The key that the log began with. Without it only form, numbers and links of a log with a key can be checked. */
  readonly key?: Key | Uint8Array;
  /** A file of checkpoints: only against one does a cut tail show. */
  readonly checkpoints?: string;
  readonly signal?: AbortSignal;
}

/** What became of the first bad line. `key`: the log was made with another key than the one given, or without. */
export type AuditFaultReason =
  'changed' | 'deleted' | 'inserted' | 'swapped' | 'truncated' | 'torn' | 'rewritten' | 'key';

/** What was found in an audit log. */
export interface AuditVerdict {
  /** Good lines, up to the first bad one. */
  readonly lines: number;
  /** Numbers of the first and last good line; 0 without any. */
  readonly first: number;
  readonly last: number;
  /** Hash of the last good line, 64 hex digits. */
  readonly hash: string;
  /**
   * What the verdict rests on. `key`: every hash was checked with its key. `hash`: the chain has no key, and who can write the file could have
   * made it. `structure`: the key was not given, and a changed text does not show. Absent without a good line.
   */
  readonly check?: 'key' | 'hash' | 'structure';
  /** Id of the key that the log says it was made with. */
  readonly keyId?: string;
  /** Lines that tell of bytes cut off after a crash. */
  readonly recoveries: number;
  /** Checkpoints that were compared. */
  readonly checkpoints: number;
  /** The first bad line; absent when every line is good. */
  readonly fault?: AuditFault;
}

/** The first bad line of a log. */
export interface AuditFault {
  readonly file: string;
  /** Which line of the file, from 1. */
  readonly line: number;
  /** The number it should have. */
  readonly number: number;
  readonly reason: AuditFaultReason;
  /** What was seen. Holds no text of the log. */
  readonly text: string;
}

/**
 * Verifies a log, in one file or in several in the order they were written.
 *
 * @throws TypeError for a wrong argument; rejects with TransportError when a file cannot be read, `EIPC_AUDIT_DAMAGED` for checkpoints that
 * are none
 *
 * @example
 * const { lines, fault } = await verifyAudit('audit.log', { key: await readKeyFile('audit.key'), checkpoints: 'audit.log.checkpoints' });
 * if (fault !== undefined) console.error(`line ${fault.line} was ${fault.reason}`);
 */
export async function verifyAudit(
  path: string | readonly string[],
  options: VerifyAuditOptions = {},
): Promise<AuditVerdict> {
  checkNames(options, ['key', 'checkpoints', 'signal'], 'verifyAudit');
  const paths = typeof path === 'string' ? [path] : path;
  checkPaths(paths);
  const { key, checkpoints, signal } = options;
  const verifier = await makeVerifier(key, checkpoints);
  for (const file of paths) {
    await feed(verifier, file, signal);
    verifier.endFile();
  }
  const { fault, check, ...found } = verifier.finish();
  return {
    ...found,
    ...(check === undefined ? {} : { check: check as Exclude<AuditVerdict['check'], undefined> }),
    ...(fault === undefined
      ? {}
      : {
          fault: {
            file: paths[fault.file] ?? '',
            line: fault.line,
            number: fault.number,
            reason: fault.reason as AuditFaultReason,
            text: fault.detail,
          },
        }),
  };
}

function checkPaths(paths: unknown): void {
  if (Array.isArray(paths) && paths.length > 0 && paths.every((one) => typeof one === 'string')) return;
  throw new TypeError(`verifyAudit needs a file name or a list of them, not ${inspect(paths)}`);
}

async function makeVerifier(
  key: Key | Uint8Array | undefined,
  checkpoints: string | undefined,
): Promise<NativeAuditVerifier> {
  const native = key === undefined ? undefined : nativeKey(key, 2);
  try {
    return new NativeAuditVerifier(native, checkpoints === undefined ? undefined : await readFile(checkpoints));
  } catch (error) {
    throw nativeError(error, `the checkpoints ${checkpoints ?? ''} cannot be used`);
  }
}

async function feed(verifier: NativeAuditVerifier, path: string, signal: AbortSignal | undefined): Promise<void> {
  try {
    const file = await open(path);
    try {
      const buffer = Buffer.allocUnsafeSlow(READ);
      for (;;) {
        signal?.throwIfAborted();
        const { bytesRead } = await file.read(buffer, 0, READ);
        if (bytesRead === 0) return;
        verifier.feed(buffer.subarray(0, bytesRead));
      }
    } finally {
      await file.close();
    }
  } catch (error) {
    if (signal?.aborted === true) throw signal.reason;
    throw nativeError(error, `the audit log ${path} cannot be read`);
  }
}
