/**
 * Payloads of the message types: for each kind of event its fields, and a value of the same name that builds, parses and validates them.
 * Field names are the ones on the wire, which other languages read too.
 */
import * as v from 'valibot';

import { eventType } from './event-type.js';
import type { EventType } from './event-type.js';

const text = v.string();
const name = v.pipe(v.string(), v.nonEmpty());
const finite = v.pipe(v.number(), v.finite());
const share = v.pipe(v.number(), v.minValue(0), v.maxValue(1));
const positive = v.pipe(v.number(), v.finite(), v.gtValue(0));
const notNegative = v.pipe(v.number(), v.finite(), v.minValue(0));
const count = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const anything = v.record(v.string(), v.unknown());

/** A decoded intention of the user: payload of `intent`. */
export interface IntentEvent {
  /** The action that is wanted, such as `move_left` or `ui.click`. */
  intent: string;
  /** How sure the decoder is, 0 … 1. */
  confidence: number;
  /** Identifies the decoding session this belongs to. */
  session_id?: string;
  parameters?: Record<string, unknown>;
}
export const IntentEvent: EventType<IntentEvent> = eventType('IntentEvent', 'intent', {
  intent: name,
  confidence: share,
  session_id: v.exactOptional(text),
  parameters: v.exactOptional(anything),
});

/** A vector of decoded features with names: payload of `features` in JSON form. (A bare `Float32Array` needs no type.) */
export interface FeatureStreamEvent {
  /** Feature values by name. */
  features: Record<string, number>;
  /** Source time of the sample in Unix milliseconds. */
  timestamp?: number;
  /** Samples a second of the source, in hertz. */
  sample_rate?: number;
}
export const FeatureStreamEvent: EventType<FeatureStreamEvent> = eventType('FeatureStreamEvent', 'features', {
  features: v.record(v.string(), finite),
  timestamp: v.exactOptional(notNegative),
  sample_rate: v.exactOptional(positive),
});

/** A request to run a tool: payload of `tool_request`. */
export interface ToolRequestEvent {
  tool: string;
  args?: Record<string, unknown>;
  /** The permission the caller claims to use. */
  permission?: string;
  /** Refers to the entry of the audit trail that led here. */
  audit_id?: string;
}
export const ToolRequestEvent: EventType<ToolRequestEvent> = eventType('ToolRequestEvent', 'tool_request', {
  tool: name,
  args: v.exactOptional(anything),
  permission: v.exactOptional(text),
  audit_id: v.exactOptional(text),
});

/** The answer to a request: payload of `ack`. */
export interface AckEvent {
  request_id: string;
  /** `ok`, `error`, or a word of the handler. */
  status: string;
  /** What went wrong, for people; only with status `error`. */
  error?: string;
  /** The error code; only with status `error`. */
  code?: string;
}
export const AckEvent: EventType<AckEvent> = eventType('AckEvent', 'ack', {
  request_id: text,
  status: name,
  error: v.exactOptional(text),
  code: v.exactOptional(text),
});

/** The decision of a policy: payload of `policy_result`. */
export interface PolicyResultEvent {
  request_id: string;
  allowed: boolean;
  /** The action that was judged. */
  action?: string;
  reason?: string;
  /** Nothing is decided yet: an operator has to. The request goes on waiting. */
  pending?: boolean;
  /** The name of the request at the operator's; only while it is pending. */
  approval?: string;
  /** Milliseconds that the operator has; only while it is pending. */
  expires_ms?: number;
}
export const PolicyResultEvent: EventType<PolicyResultEvent> = eventType('PolicyResultEvent', 'policy_result', {
  request_id: text,
  allowed: v.boolean(),
  action: v.exactOptional(text),
  reason: v.exactOptional(text),
  pending: v.exactOptional(v.boolean()),
  approval: v.exactOptional(text),
  expires_ms: v.exactOptional(notNegative),
});

/** A sign of life: payload of `heartbeat`. */
export interface HeartbeatEvent {
  service: string;
  status: 'alive' | 'degraded' | 'stopping';
  /** How long the service has been running, in milliseconds. */
  uptime?: number;
}
export const HeartbeatEvent: EventType<HeartbeatEvent> = eventType('HeartbeatEvent', 'heartbeat', {
  service: name,
  status: v.picklist(['alive', 'degraded', 'stopping']),
  uptime: v.exactOptional(notNegative),
});

/** One entry for an audit trail: payload of `audit`. */
export interface AuditEvent {
  request_id?: string;
  source: string;
  action: string;
  decision: 'allow' | 'deny' | 'confirm';
  result?: string;
  timestamp?: string;
}
export const AuditEvent: EventType<AuditEvent> = eventType('AuditEvent', 'audit', {
  request_id: v.exactOptional(text),
  source: text,
  action: name,
  decision: v.picklist(['allow', 'deny', 'confirm']),
  result: v.exactOptional(text),
  timestamp: v.exactOptional(text),
});

/** A turn of a conversation with a model: payload of `chat` as a request. */
export interface ChatRequestEvent {
  prompt: string;
  session_id?: string;
  model?: string;
  /** The most tokens the answer may have. */
  max_tokens?: number;
}
export const ChatRequestEvent: EventType<ChatRequestEvent> = eventType('ChatRequestEvent', 'chat', {
  prompt: text,
  session_id: v.exactOptional(text),
  model: v.exactOptional(text),
  max_tokens: v.exactOptional(count),
});

/** The answer to a `chat` request. */
export interface ChatResponseEvent {
  response: string;
  session_id?: string;
  model?: string;
  tokens_used?: number;
}
export const ChatResponseEvent: EventType<ChatResponseEvent> = eventType('ChatResponseEvent', 'chat', {
  response: text,
  session_id: v.exactOptional(text),
  model: v.exactOptional(text),
  tokens_used: v.exactOptional(count),
});

/** A text to be continued: payload of `complete` as a request. */
export interface CompleteRequestEvent {
  prompt: string;
  model?: string;
  max_tokens?: number;
  /** Randomness of the continuation, 0 … 2. */
  temperature?: number;
}
export const CompleteRequestEvent: EventType<CompleteRequestEvent> = eventType('CompleteRequestEvent', 'complete', {
  prompt: text,
  model: v.exactOptional(text),
  max_tokens: v.exactOptional(count),
  temperature: v.exactOptional(v.pipe(v.number(), v.minValue(0), v.maxValue(2))),
});

/** The answer to a `complete` request. */
export interface CompleteResponseEvent {
  completion: string;
  model?: string;
  tokens_used?: number;
}
export const CompleteResponseEvent: EventType<CompleteResponseEvent> = eventType('CompleteResponseEvent', 'complete', {
  completion: text,
  model: v.exactOptional(text),
  tokens_used: v.exactOptional(count),
});
