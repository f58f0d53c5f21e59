/** Binary and JSON meta, written and read strictly, from the text of docs/wire.md alone (see independent-preamble.ts). */
import { Refusal } from './independent-preamble.js';

export interface Meta {
  readonly priority?: number;
  readonly payloadFormat?: number;
  readonly source?: string;
  readonly requestId?: string;
  readonly capability?: string;
  readonly route?: string;
  readonly timestampNs?: bigint;
  readonly maxAgeMs?: number;
}

export function binaryMeta(meta: Meta): Buffer {
  const strings = [meta.source, meta.requestId, meta.capability, meta.route].map((text) => Buffer.from(text ?? ''));
  const fixed = Buffer.alloc(24);
  fixed.writeUInt8(meta.priority ?? 1, 0);
  fixed.writeUInt8(meta.payloadFormat ?? 0, 1);
  strings.forEach((text, i) => fixed.writeUInt8(text.length, 2 + i));
  fixed.writeBigInt64BE(meta.timestampNs ?? 0n, 8);
  fixed.writeUInt32BE(meta.maxAgeMs ?? 0, 16);
  return Buffer.concat([fixed, ...strings]);
}

/** JSON meta with the absent fields left out. */
export function jsonMeta(meta: Meta): Buffer {
  return Buffer.from(
    JSON.stringify({
      priority: meta.priority,
      payload_format: meta.payloadFormat,
      source: meta.source,
      request_id: meta.requestId,
      capability: meta.capability,
      route: meta.route,
      timestamp_ns: meta.timestampNs?.toString(),
      max_age_ms: meta.maxAgeMs,
    }),
  );
}

export function readBinaryMeta(bytes: Buffer): Required<Meta> {
  if (bytes.length < 24) throw new Refusal('BAD_HEADER', 'binary meta too short');
  if (bytes.readUInt16BE(6) !== 0 || bytes.readUInt32BE(20) !== 0) throw new Refusal('BAD_HEADER', 'reserved field');
  let offset = 24;
  const [source = '', requestId = '', capability = '', route = ''] = [2, 3, 4, 5].map((at) => {
    const text = bytes.subarray(offset, (offset += bytes.readUInt8(at)));
    return new TextDecoder('utf-8', { fatal: false, ignoreBOM: true }).decode(text);
  });
  if (offset !== bytes.length) throw new Refusal('BAD_HEADER', 'string lengths');
  const strings = Buffer.from(source + requestId + capability + route);
  if (!strings.equals(bytes.subarray(24))) throw new Refusal('BAD_HEADER', 'invalid UTF-8'); // U+FFFD came in
  return checkedMeta({
    priority: bytes.readUInt8(0),
    payloadFormat: bytes.readUInt8(1),
    source,
    requestId,
    capability,
    route,
    timestampNs: bytes.readBigInt64BE(8),
    maxAgeMs: bytes.readUInt32BE(16),
  });
}

export function readJsonMeta(bytes: Buffer): Required<Meta> {
  const object = strictObject(bytes);
  const text = (key: string): string => {
    const value = object?.[key] ?? '';
    if (typeof value !== 'string') throw new Refusal('BAD_HEADER', key);
    return value;
  };
  const number = (key: string, absent: number): number => {
    const value = object?.[key] ?? absent;
    if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) throw new Refusal('BAD_HEADER', key);
    return value;
  };
  if (object === undefined) throw new Refusal('BAD_HEADER', 'not a strict JSON object');
  const timestamp = text('timestamp_ns') || '0';
  if (!/^(0|[1-9]\d{0,18})$/.test(timestamp)) throw new Refusal('BAD_HEADER', 'timestamp_ns');
  return checkedMeta({
    priority: number('priority', 1),
    payloadFormat: number('payload_format', 0),
    source: text('source'),
    requestId: text('request_id'),
    capability: text('capability'),
    route: text('route'),
    timestampNs: BigInt(timestamp),
    maxAgeMs: number('max_age_ms', 0),
  });
}

function checkedMeta(meta: Required<Meta>): Required<Meta> {
  const strings = meta.source + meta.requestId + meta.capability + meta.route;
  const wrong = meta.priority > 3 || meta.payloadFormat > 3 || /[\u0000-\u001f\u007f]/.test(strings);
  if (wrong || meta.timestampNs < 0n || (meta.maxAgeMs !== 0 && meta.timestampNs === 0n)) {
    throw new Refusal('BAD_HEADER', 'meta value out of range');
  }
  return meta;
}

/** The object in `bytes`, or undefined when wire.md's strict parser must refuse it. */
export function strictObject(bytes: Uint8Array): Record<string, unknown> | undefined {
  let text: string;
  let value: unknown;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  let keysWritten = 0;
  const outside = text.replace(/"(?:[^"\\]|\\.)*"(\s*:)?/g, (_, colon?: string) => {
    if (colon !== undefined) keysWritten++;
    return '';
  });
  const isStrict = isObject(value) && keysWritten === countKeys(value, 1) && !/\d[.eE]|-/.test(outside);
  return isStrict ? (value as Record<string, unknown>) : undefined;
}

/** Keys that differ after folding; NaN for a duplicate, null, too deep a nesting, NUL or half a surrogate pair. */
function countKeys(value: unknown, depth: number): number {
  if (typeof value === 'string') return /[\0\p{Surrogate}]/u.test(value) ? Number.NaN : 0;
  if (value === null || (typeof value === 'object' && depth > 4)) return Number.NaN;
  if (Array.isArray(value)) return value.reduce<number>((sum, item) => sum + countKeys(item, depth + 1), 0);
  if (!isObject(value)) return 0;
  const keys = Object.keys(value);
  const folded = new Set(keys.map((key) => key.toUpperCase().toLowerCase()));
  if (folded.size !== keys.length) return Number.NaN;
  const inside = [...keys, ...Object.values(value)];
  return inside.reduce<number>((sum, item) => sum + countKeys(item, depth + 1), keys.length);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
