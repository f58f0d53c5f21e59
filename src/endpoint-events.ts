/**
 * What happens to an endpoint apart from its messages, for `endpoint.events()` and `node:diagnostics_channel`.
 */
import { channel } from 'node:diagnostics_channel';

import type { CloseReason } from './close-reason.js';
import type { Endpoint } from './endpoint.js';
import type { Message, Priority } from './message.js';
import type { Peer } from './peer.js';

/** Something that happened to an endpoint. */
export type EndpointEvent =
  | { readonly type: 'dropped'; readonly priority: Priority; readonly count: number }
  | { readonly type: 'expired'; readonly message: Message }
  /** The session was lost for this reason, and another is tried for. */
  | { readonly type: 'reconnecting'; readonly reason: CloseReason }
  | { readonly type: 'reconnected'; readonly peer: Peer }
  | { readonly type: 'closed'; readonly reason: CloseReason };

const CHANNELS = {
  connected: channel('eipc:connected'),
  dropped: channel('eipc:dropped'),
  expired: channel('eipc:expired'),
  reconnecting: channel('eipc:reconnecting'),
  reconnected: channel('eipc:reconnected'),
  closed: channel('eipc:closed'),
  'peer-down': channel('eipc:peer-down'),
} as const;

/** Publishes on the diagnostics channel `eipc:NAME`. What subscribers throw is Node's affair. */
export function publish(name: keyof typeof CHANNELS, endpoint: Endpoint, detail: object): void {
  const target = CHANNELS[name];
  if (target.hasSubscribers) target.publish({ endpoint, ...detail });
}
