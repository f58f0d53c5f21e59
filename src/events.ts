/**
 * Typed payloads of the message types. Types only: nothing here runs, and nothing is validated against them (a handler's `schema` option
 * will). Field names are the ones on the wire, which other languages read too.
 */

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

/** A vector of decoded features with names: payload of `features` in JSON form. (A bare `Float32Array` needs no type.) */
export interface FeatureStreamEvent {
  /** Feature values by name. */
  features: Record<string, number>;
  /** Source time of the sample in Unix milliseconds. */
  timestamp?: number;
  /** Samples a second of the source, in hertz. */
  sample_rate?: number;
}

/** A request to run a tool: payload of `tool_request`. */
export interface ToolRequestEvent {
  tool: string;
  args?: Record<string, unknown>;
  /** The permission the caller claims to use. */
  permission?: string;
  /** Refers to the entry of the audit trail that led here. */
  audit_id?: string;
}

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

/** The decision of a policy: payload of `policy_result`. */
export interface PolicyResultEvent {
  request_id: string;
  allowed: boolean;
  /** The action that was judged. */
  action?: string;
  reason?: string;
}

/** A sign of life: payload of `heartbeat`. */
export interface HeartbeatEvent {
  service: string;
  status: 'alive' | 'degraded' | 'stopping';
  /** How long the service has been running, in milliseconds. */
  uptime?: number;
}

/** One entry for an audit trail: payload of `audit`. */
export interface AuditEvent {
  request_id?: string;
  source: string;
  action: string;
  decision: 'allow' | 'deny' | 'confirm';
  result?: string;
  timestamp?: string;
}

/** A turn of a conversation with a model: payload of `chat` as a request. */
export interface ChatRequestEvent {
  prompt: string;
  session_id?: string;
  model?: string;
  /** The most tokens the answer may have. */
  max_tokens?: number;
}

/** The answer to a `chat` request. */
export interface ChatResponseEvent {
  response: string;
  session_id?: string;
  model?: string;
  tokens_used?: number;
}

/** A text to be continued: payload of `complete` as a request. */
export interface CompleteRequestEvent {
  prompt: string;
  model?: string;
  max_tokens?: number;
  /** Randomness of the continuation, 0 … 2. */
  temperature?: number;
}

/** The answer to a `complete` request. */
export interface CompleteResponseEvent {
  completion: string;
  model?: string;
  tokens_used?: number;
}
