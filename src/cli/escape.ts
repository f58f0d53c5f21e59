/**
 * Makes text that others wrote safe to print: file contents, file names, names and reasons from peers, output of children.
 *
 * A terminal obeys control characters and shows bidirectional overrides as something else than what is there, so both
 * become visible escapes. Nothing here decides what to print.
 */

/** The most bytes of UTF-8 one foreign string may occupy in our output. */
export const MAX_FOREIGN_BYTES = 256;

// C0, DEL and C1; Arabic letter mark, zero-width and directional marks; line and paragraph separators; bidirectional
// embeddings, overrides and isolates; byte-order mark; unpaired surrogates (with the u flag, paired ones do not match).
const UNSAFE = /[\u0000-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]/gu;

/** Escapes control and direction characters as `\xNN` or `\u{NNNN}` and cuts the result to `maxBytes` bytes of UTF-8. */
export function escapeText(text: string, { maxBytes = MAX_FOREIGN_BYTES }: { maxBytes?: number } = {}): string {
  // Escaping never shortens, so the tail beyond maxBytes characters cannot be shown; dropping it first bounds the work.
  const escaped = text.slice(0, maxBytes + 1).replace(UNSAFE, escapeCharacter);
  if (Buffer.byteLength(escaped) <= maxBytes) return escaped;
  let kept = '';
  let bytes = Buffer.byteLength('…');
  for (const character of escaped) {
    bytes += Buffer.byteLength(character);
    if (bytes > maxBytes) break;
    kept += character;
  }
  return `${kept}…`;
}

/** Returns a value as JSON in one line, in which the same characters are escapes that every reader of JSON undoes. */
export function escapeJson(value: unknown): string {
  return JSON.stringify(value).replace(UNSAFE, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** Escapes and quotes a foreign value for an error message, short enough to keep the message readable. */
export function quoteValue(text: string): string {
  return `"${escapeText(text, { maxBytes: 64 })}"`;
}

function escapeCharacter(character: string): string {
  const code = character.codePointAt(0) ?? 0;
  if (code <= 0xff) return `\\x${code.toString(16).padStart(2, '0')}`;
  return `\\u{${code.toString(16)}}`;
}
