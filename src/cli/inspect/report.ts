/**
 * What was found in a frame, as a table for people or as one JSON object for programs. All text in a frame is somebody else's: it is escaped,
 * and in the table cut.
 */
import type { InspectedField, Inspection } from '../../index.js';
import { escapeJson, escapeText } from '../escape.js';
import type { FoundFrame } from './frames.js';

/** A frame with what was found in it. */
export interface Report extends FoundFrame {
  /** 1 for the first. */
  readonly number: number;
  readonly fields: readonly InspectedField[];
  readonly tag: Inspection['tag'];
  readonly fault?: { readonly at: number; readonly code: string; readonly text: string };
  /** Whether there was a key to verify with. */
  readonly hadKey: boolean;
}

/** Bytes of a field that the table shows. */
const MAX_SHOWN = 48;

/** Shows a frame to people. */
export function reportText(report: Report): string {
  const { number, at, bytes, prefix, fields, fault } = report;
  const before = prefix === undefined ? '' : `, behind the length ${prefix}`;
  const rows = fields.map((field) => [
    String(field.at),
    String(field.length),
    field.name,
    escapeText(shownValue(field, bytes)),
  ]);
  return [
    `frame ${number}: ${protocolOf(report)}, ${bytes.length} bytes from byte ${at} on${before}`,
    ...table([['at', 'bytes', 'field', 'value'], ...rows]),
    `  tag: ${tagText(report)}`,
    fault === undefined
      ? '  no fault that shows without the session'
      : `  FAULT at byte ${fault.at} (byte ${at + fault.at} of the input): ${fault.code}: ${escapeText(fault.text)}`,
    '',
  ].join('\n');
}

/** Shows a frame to programs: one line. */
export function reportJson(report: Report): string {
  const { number, at, bytes, prefix, fields, tag, fault } = report;
  const shown = {
    frame: number,
    at,
    length: bytes.length,
    ...(prefix === undefined ? {} : { prefix }),
    protocol: protocolOf(report),
    fields: fields.map((field) => ({
      name: field.name,
      at: field.at,
      length: field.length,
      ...(field.value === undefined ? { hex: hexOf(field, bytes) } : { value: jsonValue(field.value) }),
    })),
    tag,
    ...(fault === undefined ? {} : { fault }),
  };
  return escapeJson(shown);
}

function protocolOf({ fields }: Report): string {
  const version = fields.find(({ name }) => name === 'version')?.value;
  if (version === 1n) return 'v1';
  return version === 2n ? 'EIPC/2' : 'of no known protocol';
}

function tagText({ tag, hadKey, fields }: Report): string {
  if (tag === 'absent') return 'none';
  if (tag === 'verified') return 'verified with this key';
  if (tag === 'wrong') return 'not of this key';
  const isOfKey = fields.some(({ name, value }) => (name === 'version' && value === 1n) || name === 'client_nonce');
  if (!isOfKey) return "not verified: its key is the session's, which only the two ends have";
  return hadKey ? 'not verified' : 'not verified: give the key with --key-file';
}

function shownValue(field: InspectedField, bytes: Uint8Array): string {
  const { name, value } = field;
  if (name === 'flags' && typeof value === 'bigint') return `0x${value.toString(16).padStart(2, '0')}`;
  if (value !== undefined) return String(value);
  const part = bytes.subarray(field.at, field.at + field.length);
  if (name === 'payload' || name === 'header' || name === 'meta') {
    const text = utf8(part);
    if (text !== undefined) return text;
  }
  const hex = Buffer.from(part.subarray(0, MAX_SHOWN)).toString('hex');
  return part.length > MAX_SHOWN ? `${hex}… (${part.length} bytes)` : hex;
}

/** The text, if all of it is. */
function utf8(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

function hexOf({ at, length }: InspectedField, bytes: Uint8Array): string {
  return Buffer.from(bytes.subarray(at, at + length)).toString('hex');
}

/** A number that JavaScript's readers keep exactly, otherwise its digits. */
function jsonValue(value: bigint | string): number | string {
  return typeof value === 'bigint' && value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : String(value);
}

function table(rows: readonly (readonly string[])[]): string[] {
  const widths = [0, 1, 2].map((column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows.map(([at = '', bytes = '', name = '', value = '']) => {
    const [w0 = 0, w1 = 0, w2 = 0] = widths;
    return `  ${at.padStart(w0)}  ${bytes.padStart(w1)}  ${name.padEnd(w2)}  ${value}`.trimEnd();
  });
}
