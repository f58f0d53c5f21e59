/**
 * A request that waits for an operator, as it is shown. Its texts came from the peer that asks, and what is decided rests on them: they are
 * escaped, and a payload that is not whole says so.
 */
import type { ApprovalRequest } from '../../index.js';
import { escapeText } from '../escape.js';

/** What became of one. */
export interface ShownEvent {
  readonly event: string;
  readonly by: string;
  readonly reason: string;
  readonly request: ApprovalRequest;
}

const TEXTS = ['id', 'digest', 'peer', 'action', 'asked', 'description', 'type', 'requestId', 'capability', 'payload'];
const NUMBERS = ['priority', 'time', 'parkedAt'];
/** Bytes of a payload that are shown: all that the server tells of it. */
const MAX_PAYLOAD = 8_192;

/** Reads the answer to `list` and `watch`. What is no request is left out. */
export function parseRequests(payload: unknown): ApprovalRequest[] {
  const { requests } = fieldsOf(payload);
  return Array.isArray(requests) ? requests.filter(isRequest) : [];
}

/** Reads an event; undefined when it is none. */
export function parseEvent(payload: unknown): ShownEvent | undefined {
  const { event, by, reason, request } = fieldsOf(payload);
  if (typeof event !== 'string' || typeof by !== 'string' || typeof reason !== 'string' || !isRequest(request))
    return undefined;
  return { event, by, reason, request };
}

/** Shows a request to people. */
export function requestText(request: ApprovalRequest): string {
  const { id, digest, peer, action, asked, description, type, priority, requestId, capability } = request;
  const left = Math.max(0, Math.ceil((request.parkedAt + request.time - Date.now()) / 1_000));
  const as = asked === action ? '' : ` (as ${escapeText(asked)})`;
  const claim = capability === '' ? '' : `, claims ${escapeText(capability)}`;
  const rows = [
    `${escapeText(id)}  ${escapeText(peer)} asks for ${escapeText(action)}${as}  ${left} s left`,
    ...(description === '' ? [] : [`  what it does: ${escapeText(description, { maxBytes: 1_024 })}`]),
    `  P${priority} ${escapeText(type)}, request ${requestId === '' ? '-' : escapeText(requestId)}${claim}`,
    `  payload: ${escapeText(request.payload, { maxBytes: MAX_PAYLOAD })}`,
    ...(request.isWhole ? [] : ['  THE PAYLOAD IS LONGER THAN WHAT IS SHOWN']),
    `  sha256 ${escapeText(digest)}`,
  ];
  return rows.join('\n');
}

/** Shows an event to people. */
export function eventText({ event, by, reason, request }: ShownEvent): string {
  if (event === 'parked') return requestText(request);
  const who = by === '' ? '' : ` by ${escapeText(by)}`;
  const why = reason === '' ? '' : `: ${escapeText(reason)}`;
  return `${escapeText(request.id)}  ${escapeText(event)}${who}${why}`;
}

function fieldsOf(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}

function isRequest(value: unknown): value is ApprovalRequest {
  const fields = fieldsOf(value);
  return (
    TEXTS.every((name) => typeof fields[name] === 'string') &&
    NUMBERS.every((name) => typeof fields[name] === 'number') &&
    typeof fields['isWhole'] === 'boolean'
  );
}
