/**
 * A received message as one line of text or as one JSON object. Everything in it came from a peer, so everything is escaped.
 */
import type { Message } from '../index.js';
import { escapeText } from './escape.js';

/** Bytes of a payload that a line shows. */
const MAX_SHOWN = 256;

/** Shows a message to people. */
export function messageLine(message: Message): string {
  const { type, priority, source, capability, requestId } = message;
  const parts = [`P${priority}`, type, `from ${escapeText(source)}`];
  if (requestId !== '') parts.push(`request ${escapeText(requestId)}`);
  if (capability !== '') parts.push(`as ${escapeText(capability)}`);
  return `${parts.join('  ')}  ${payloadText(message)}`;
}

/** Shows a message to programs: one object, whose payload is text, an object, numbers, or base64 for bytes. */
export function messageJson(message: Message): Record<string, unknown> {
  const { type, priority, source, capability, route, requestId, sessionId, payloadFormat, maxAge } = message;
  return {
    type,
    priority,
    source,
    capability,
    route,
    requestId,
    sessionId,
    sequence: String(message.sequence),
    timestamp: String(message.timestamp),
    maxAge,
    payloadFormat,
    payload: payloadJson(message),
  };
}

function payloadText(message: Message): string {
  const value = payloadJson(message);
  return escapeText(typeof value === 'string' ? value : JSON.stringify(value), { maxBytes: MAX_SHOWN });
}

/** The payload as JSON can carry it; what cannot be decoded is shown as the bytes it is. */
function payloadJson(message: Message): unknown {
  const { payloadFormat, bytes } = message;
  if (bytes.length === 0) return null;
  try {
    const value = message.payload;
    if (value instanceof Float32Array) return [...value];
    if (!(value instanceof Uint8Array)) {
      JSON.stringify(value); // MessagePack has values that JSON has not
      return value;
    }
  } catch {
    // shown as bytes
  }
  return {
    [payloadFormat === 'bytes' ? 'base64' : `undecodable ${payloadFormat}, base64`]:
      Buffer.from(bytes).toString('base64'),
  };
}
