/**
 * What the audit of a server hears of its connections: who was let in, by which key, and who was refused, and why. Strangers are recorded
 * within bounds: whoever has no key must not be able to fill the disk.
 */
import type { AuditSink } from './audit-sink.js';
import { AuditTrail, RefusalTrail } from './audit-trail.js';
import type { EipcError } from './errors.js';
import type { LogRecord } from './options.js';
import type { Peer } from './peer.js';
import type { KeyChange } from './server-keys.js';

/** What became of a capability of a service. */
export type RightChange = 'capability.grant' | 'capability.revoke';

/** The records of one server. */
export class ServerAudit {
  /** Where its endpoints record. */
  readonly trail: AuditTrail;
  readonly #refusals: RefusalTrail;

  constructor(sink: AuditSink, logger: ((record: LogRecord) => void) | undefined) {
    this.trail = new AuditTrail(sink, logger);
    this.#refusals = new RefusalTrail(this.trail);
  }

  /** A session is open. */
  opened(peer: Peer, keyId: string): void {
    const { serviceId, protocol, suite, transport, address, sessionId, uid, pid } = peer;
    const process = uid === undefined ? '' : `, uid ${uid}${pid === undefined ? '' : `, process ${pid}`}`;
    const place = `over ${transport} at ${address}${process}`;
    // The token of v1 is half of a secret; what is in clear text on the wire in EIPC/2 is none.
    this.trail.log(
      protocol === 2
        ? {
            peer: serviceId,
            action: 'session.open',
            decision: 'allow',
            result: `EIPC/2 ${suite} ${place}; key ${keyId}; session ${sessionId}`,
          }
        : {
            peer: serviceId,
            action: 'session.legacy',
            decision: 'allow',
            result: `v1 ${sessionId === '' ? 'by MAC only' : 'by challenge'} ${place}`,
          },
    );
  }

  /** Nobody was let in: at the door, in the handshake, or although the handshake was good. */
  refused(action: 'connection.refuse' | 'session.refuse', peer: string, why: string, error?: EipcError): void {
    const cause = error === undefined ? '' : `: ${error.code}: ${error.message}`;
    this.#refusals.log(() => ({ peer, action, decision: 'deny', result: `${why}${cause}` }));
  }

  /** A key of a service came, has an end now, or went. */
  keyChanged(serviceId: string, change: KeyChange, keyId: string): void {
    const result = keyId === '' ? 'a key of v1' : `key ${keyId}`;
    this.trail.log({ peer: serviceId, action: change, decision: 'note', result });
  }

  /** A service may do more, or less, than before. */
  rightChanged(serviceId: string, change: RightChange, capability: string): void {
    this.trail.log({ peer: serviceId, action: change, decision: 'note', result: capability });
  }

  /** A session was ended by who runs the server. */
  sessionRevoked(serviceId: string, id: string): void {
    this.trail.log({ peer: serviceId, action: 'session.revoke', decision: 'note', result: `session ${id}` });
  }

  /** The server has closed. */
  closed(): void {
    const unrecorded = this.#refusals.takeUnrecorded();
    if (unrecorded !== '')
      this.trail.log({
        peer: '',
        action: 'connection.refuse',
        decision: 'note',
        result: `${unrecorded}the server closed`,
      });
  }
}
