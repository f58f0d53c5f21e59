/**
 * A payload as an operator sees it before deciding.
 */
import { inspect } from 'node:util';

import type { Message } from '../message.js';

const WHOLE = { depth: Infinity, breakLength: Infinity, maxArrayLength: Infinity, maxStringLength: Infinity };
/** Characters that are shown. */
const MAX_SHOWN = 1_024;

/** Returns a payload as text, and whether that is all of it. What cannot be decoded is shown as the bytes it is. */
export function shownPayload(message: Message): readonly [text: string, isWhole: boolean] {
  const text = payloadText(message);
  return text.length <= MAX_SHOWN ? [text, true] : [text.slice(0, MAX_SHOWN), false];
}

function payloadText(message: Message): string {
  const { bytes } = message;
  if (bytes.length === 0) return '';
  try {
    const { payload } = message;
    if (payload instanceof Float32Array) return JSON.stringify([...payload]);
    if (message.payloadFormat === 'json') return JSON.stringify(payload);
    // MessagePack has values that JSON has not.
    if (message.payloadFormat === 'msgpack') return inspect(payload, WHOLE);
  } catch {
    // shown as bytes
  }
  return `${message.payloadFormat}, ${bytes.length} bytes in hex: ${Buffer.from(bytes).toString('hex')}`;
}
