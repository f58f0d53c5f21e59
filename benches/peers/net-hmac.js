/**
 * What signing costs in plain Node: HMAC-SHA256 by node:crypto over every message, made and verified at both ends. No handshake, no replay
 * window, one fixed key: less than EIPC does.
 */
import { createHmac, createSecretKey, timingSafeEqual } from 'node:crypto';

import { startNetAnswerer, startNetDriver } from './net-frames.js';

const MAC = 32;

/** @type {import('../harness/contestants.js').Peer['startAnswerer']} */
export function startAnswerer(context) {
  return startNetAnswerer(context, signedWith(context.key));
}

/** @type {import('../harness/contestants.js').Peer['startDriver']} */
export function startDriver(context) {
  return startNetDriver(context, signedWith(context.key));
}

/**
 * @param {Buffer} bytes
 * @returns {import('./net-frames.js').Sealing}
 */
function signedWith(bytes) {
  const key = createSecretKey(bytes);
  const macOf = (payload) => createHmac('sha256', key).update(payload).digest();
  return {
    overhead: MAC,
    seal(block, at, payload) {
      block.set(macOf(payload), at);
      block.set(payload, at + MAC);
    },
    open(body) {
      if (body.length < MAC) return null;
      const payload = body.subarray(MAC);
      return timingSafeEqual(macOf(payload), body.subarray(0, MAC)) ? payload : null;
    },
    description: 'length prefix, HMAC-SHA256 by node:crypto',
  };
}
