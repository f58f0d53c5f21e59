/** What endpoints are made of. */
import type { OpenSession } from './open-session.js';
import type { Gate } from './admission.js';
import type { AuditTrail } from './audit-trail.js';
import type { CloseReason } from './close-reason.js';
import type { Dial } from './reconnect.js';
import type { ReconnectSettings, Settings } from './settings.js';

/** What an endpoint is made of. */
export interface EndpointSetup extends OpenSession {
  readonly settings: Settings;
  /** Absent where the end of the session is the end of the endpoint. */
  readonly reconnect?: { readonly settings: ReconnectSettings; readonly dial: Dial } | undefined;
  /** Where a server records what becomes of messages and of the session. */
  readonly audit?: AuditTrail | undefined;
  /** What stands between messages and their handlers; needs `audit`. */
  readonly gate?: Gate | undefined;
  /** Called once, when everything is over. */
  readonly onClosed: (reason: CloseReason) => void;
}

/** A session that is open: what `connect` and `listen` make endpoints of, where users give a connection. */
export class Opened {
  readonly setup: EndpointSetup;

  constructor(setup: EndpointSetup) {
    this.setup = setup;
  }
}
