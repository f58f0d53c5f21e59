/** What a session may carry; `auth` and its like belong to handshakes. */
import type { MessageType } from '../index.js';

export const SESSION_TYPES = [
  'intent',
  'features',
  'tool_request',
  'ack',
  'policy_result',
  'heartbeat',
  'audit',
  'chat',
  'complete',
] as const satisfies readonly MessageType[];
