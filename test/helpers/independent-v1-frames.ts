/**
 * Frames of v1 from the text of docs/wire.md alone (see independent-preamble.ts), with node:crypto only. What is read has to be byte for byte
 * what the text says a sender writes; what is written may lie about anything.
 */
import { FLAG_TAG, hmac, MAX_FRAME_SIZE, PREAMBLE_SIZE, Refusal, TAG_SIZE } from './independent-preamble.js';

/** The fields of a header, by the names of the text. */
export interface V1Header {
  readonly service_id: string;
  readonly session_id: string;
  readonly request_id: string;
  readonly sequence: bigint;
  readonly timestamp: string;
  readonly priority: number;
  readonly capability: string;
  readonly route: string;
  readonly payload_format: number;
}

export interface V1Frame {
  readonly type: string;
  readonly header: V1Header;
  readonly payload: Buffer;
}

/** What a frame lies about, beside its header and payload. */
export interface V1Lies {
  readonly magic?: string;
  readonly version?: number;
  readonly flags?: number;
  readonly headerLength?: number;
  readonly payloadLength?: number;
  /** Without one the frame ends behind its payload. */
  readonly tag?: Uint8Array | 'none';
}

/** A header as the text says a sender writes it. */
export function v1Header(fields: Partial<V1Header>): Buffer {
  const { service_id = '', session_id = '', request_id = '', sequence = 1n, priority = 0 } = fields;
  const { timestamp = new Date().toISOString(), capability = '', route = '', payload_format = 0 } = fields;
  const members = [
    `"service_id":${text(service_id)}`,
    `"session_id":${text(session_id)}`,
    `"request_id":${text(request_id)}`,
    `"sequence":${sequence}`,
    `"timestamp":${text(timestamp)}`,
    `"priority":${priority}`,
    ...(capability === '' ? [] : [`"capability":${text(capability)}`]),
    ...(route === '' ? [] : [`"route":${text(route)}`]),
    `"payload_format":${payload_format}`,
  ];
  return Buffer.from(`{${members.join(',')}}`);
}

/** The bytes that a tag is made over. */
export function v1Signable(type: string, header: Uint8Array, payload: Uint8Array, lies: V1Lies = {}): Buffer {
  const preamble = Buffer.alloc(PREAMBLE_SIZE);
  preamble.write(lies.magic ?? 'EIPC', 0, 'latin1');
  preamble.writeUInt16BE(lies.version ?? 1, 4);
  preamble.writeUInt8(type.charCodeAt(0), 6);
  preamble.writeUInt8(lies.flags ?? FLAG_TAG, 7);
  preamble.writeUInt32BE(lies.headerLength ?? header.length, 8);
  preamble.writeUInt32BE(lies.payloadLength ?? payload.length, 12);
  return Buffer.concat([preamble, header, payload]);
}

/** A frame without the length in front. */
export function v1Frame(
  type: string,
  header: Uint8Array,
  payload: Uint8Array,
  key: Uint8Array,
  lies: V1Lies = {},
): Buffer {
  const signable = v1Signable(type, header, payload, lies);
  return lies.tag === 'none' ? signable : Buffer.concat([signable, lies.tag ?? hmac(key, signable)]);
}

/** Reads a frame of which every byte has to be right. */
export function readV1Frame(frame: Buffer, key: Uint8Array): V1Frame {
  if (frame.length < PREAMBLE_SIZE) throw new Refusal('TRUNCATED', `${frame.length} bytes`);
  if (frame.toString('latin1', 0, 4) !== 'EIPC') throw new Refusal('BAD_MAGIC', frame.toString('hex', 0, 4));
  if (frame.readUInt16BE(4) !== 1) throw new Refusal('BAD_VERSION', String(frame.readUInt16BE(4)));
  const flags = frame.readUInt8(7);
  if ((flags & ~FLAG_TAG) !== 0) throw new Refusal('UNSUPPORTED_FLAGS', String(flags));
  if (flags !== FLAG_TAG) throw new Refusal('INTEGRITY', 'the tag is missing');
  const [headerLength, payloadLength] = [frame.readUInt32BE(8), frame.readUInt32BE(12)];
  const total = PREAMBLE_SIZE + headerLength + payloadLength + TAG_SIZE;
  if (headerLength > 4_096 || total > MAX_FRAME_SIZE) throw new Refusal('FRAME_TOO_LARGE', String(total));
  if (frame.length < total) throw new Refusal('TRUNCATED', `${frame.length} of ${total} bytes`);
  if (frame.length > total) throw new Refusal('TRAILING_BYTES', `${frame.length} of ${total} bytes`);
  const signable = frame.subarray(0, total - TAG_SIZE);
  if (!hmac(key, signable).equals(frame.subarray(total - TAG_SIZE))) throw new Refusal('INTEGRITY', 'wrong tag');
  const payloadAt = PREAMBLE_SIZE + headerLength;
  const header = readHeader(frame.subarray(PREAMBLE_SIZE, payloadAt));
  return { type: frame.toString('latin1', 6, 7), header, payload: Buffer.from(signable.subarray(payloadAt)) };
}

function readHeader(bytes: Buffer): V1Header {
  const json = bytes.toString();
  const raw = JSON.parse(json) as Record<string, string & number>;
  // JSON.parse rounds above 2^53.
  const sequence = BigInt(/"sequence":(\d+)/.exec(json)?.[1] ?? '0');
  const header: V1Header = {
    service_id: raw['service_id'] ?? '',
    session_id: raw['session_id'] ?? '',
    request_id: raw['request_id'] ?? '',
    sequence,
    timestamp: raw['timestamp'] ?? '',
    priority: raw['priority'] ?? -1,
    capability: raw['capability'] ?? '',
    route: raw['route'] ?? '',
    payload_format: raw['payload_format'] ?? -1,
  };
  if (!v1Header(header).equals(bytes)) throw new Refusal('BAD_HEADER', json);
  if (!/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?Z$/.test(header.timestamp)) throw new Refusal('BAD_HEADER', json);
  return header;
}

/** A JSON string with the escapes of the text. */
function text(value: string): string {
  return JSON.stringify(value).replaceAll(
    /[<>&\u2028\u2029]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
