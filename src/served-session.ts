/**
 * One session as the handlers of its messages know it: its peer, what is being served, and what ends with it.
 */
import { Deadline } from './deadlines.js';
import { makeError } from './errors.js';
import type { EipcError } from './errors.js';
import type { Message } from './message.js';
import type { Peer } from './peer.js';
import type { Parked } from './policy/approvals.js';
import type { HandlerContext } from './router.js';

/** The handlers of one session: their peer, and what ends with it. */
export class ServedSession {
  /** In v1 without a handshake its first message says who it is, so that another takes its place here. */
  peer: Peer;
  /** Contexts whose signal somebody asked for. */
  readonly watched = new Set<RunContext>();
  /** Ids of requests whose handler has not ended. The ids of another session are another matter. */
  readonly ids = new Set<string>();
  /** Requests that wait for an operator: an approval is worth nothing once its requester's session is over. */
  readonly parked = new Set<Parked>();
  end: EipcError | undefined;

  constructor(peer: Peer) {
    this.peer = peer;
  }
}

/** The context of one run; the signal exists only if the handler asks. */
export class RunContext extends Deadline implements HandlerContext {
  readonly message: Message;
  readonly session: ServedSession;
  readonly #onWatched: (context: RunContext) => void;
  #controller: AbortController | undefined;

  constructor(message: Message, session: ServedSession, onWatched: (context: RunContext) => void) {
    super();
    this.message = message;
    this.session = session;
    this.#onWatched = onWatched;
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      this.#onWatched(this);
    }
    return this.#controller.signal;
  }

  override expire(): void {
    this.abort(makeError('EIPC_TIMEOUT', 'the deadline of this request has passed'));
  }

  abort(reason: EipcError): void {
    this.#controller?.abort(reason);
  }
}
