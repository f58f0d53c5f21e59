/**
 * The file that lets a chain go on after its process: it holds the key of the next line (docs/audit.md, "The state file"). Replaced as a
 * whole; the one before is overwritten, because its key is that of lines that are written by now.
 */
import { constants } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';

import { makeError, systemCode } from '../errors.js';
import { NativeAuditChain } from '../native.js';
import type { NativeKey } from '../native.js';
import { openUnfollowed, overwrite, ownerFault, syncFolder } from '../owner-file.js';

/** More than a state has. */
const MAX_STATE = 4_096;

/** Reads a chain from its state file; undefined where there is none. A key, if one is given, must be the chain's. */
export async function readState(path: string, key: NativeKey | undefined): Promise<NativeAuditChain | undefined> {
  const file = await openOwn(path, constants.O_RDONLY);
  if (file === undefined) return undefined;
  const stored = Buffer.alloc(MAX_STATE);
  try {
    const { bytesRead } = await file.read(stored, 0, MAX_STATE, 0);
    return NativeAuditChain.resume(stored.subarray(0, bytesRead), key);
  } finally {
    stored.fill(0);
    await file.close();
  }
}

/** Replaces the state file by that of what is durable of a chain at the time of this call. */
export async function replaceState(path: string, chain: NativeAuditChain): Promise<void> {
  const next = `${path}.new`;
  const state = chain.state();
  // What a crash left there was never the state.
  await rm(next, { force: true });
  const fault = await state.save(next);
  if (fault !== '') throw makeError('EIPC_AUDIT', `the state file ${next} cannot be written: ${fault}`);
  const old = await openOwn(path, constants.O_RDWR);
  try {
    await rename(next, path);
    await syncFolder(dirname(path));
    if (old !== undefined) await overwrite(old);
  } finally {
    await old?.close();
  }
}

async function openOwn(path: string, flags: number): Promise<FileHandle | undefined> {
  let file;
  try {
    file = await openUnfollowed(path, flags);
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw error;
  }
  const fault = ownerFault(await file.stat(), path);
  if (fault === undefined) return file;
  await file.close();
  throw makeError('EIPC_AUDIT', `this is no state file of an audit log: ${fault}`);
}
