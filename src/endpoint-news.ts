/**
 * Tells everybody who watches an endpoint what happens to it: the `logger` option, `node:diagnostics_channel`, and `endpoint.events()`. Who
 * waits for its messages learns of its end from `lifecycle.ts`.
 */
import type { CloseReason } from './close-reason.js';
import type { Endpoint } from './endpoint.js';
import { publish } from './endpoint-events.js';
import type { EndpointEvent } from './endpoint-events.js';
import type { EipcError } from './errors.js';
import { EventStream, keepLatest } from './event-stream.js';
import type { Message, Priority } from './message.js';
import type { LogRecord } from './options.js';
import type { Settings } from './settings.js';
import type { Counters } from './stats.js';

/** The news of one endpoint. */
export class EndpointNews {
  readonly events: EventStream<EndpointEvent>;
  readonly #endpoint: Endpoint;
  readonly #logger: Settings['logger'];

  constructor(endpoint: Endpoint, { logger }: Settings, counters: Counters) {
    this.#endpoint = endpoint;
    this.#logger = logger;
    const onMissed = (): void => {
      counters.eventsMissed += 1;
    };
    this.events = new EventStream<EndpointEvent>(keepLatest(onMissed));
  }

  opened(): void {
    publish('connected', this.#endpoint, { peer: this.#endpoint.peer });
  }

  dropped(priority: Priority, count: number): void {
    publish('dropped', this.#endpoint, { priority, count });
    this.events.emit({ type: 'dropped', priority, count });
  }

  expired(message: Message): void {
    publish('expired', this.#endpoint, { message });
    this.events.emit({ type: 'expired', message });
  }

  handlerFailed(message: Message, error: unknown): void {
    this.#log('error', 'handler-failed', `the handler of a ${message.type} failed: ${String(error)}`);
  }

  /** The session is over, and another is tried for. */
  lost(reason: CloseReason): void {
    const text = `the session with '${this.#endpoint.peer.serviceId}' was lost: ${reason.code}; connecting again`;
    this.#log('warn', 'reconnecting', text, reason.error);
    this.#publishDeath(reason);
    publish('reconnecting', this.#endpoint, { reason });
    this.events.emit({ type: 'reconnecting', reason });
  }

  reconnectFailed(error: EipcError, tries: number): void {
    this.#log('warn', 'reconnect-failed', `try ${tries} to connect again failed`, error);
  }

  reopened(): void {
    const { peer } = this.#endpoint;
    this.#log('info', 'reconnected', `connected to '${peer.serviceId}' again`);
    publish('reconnected', this.#endpoint, { peer });
    this.events.emit({ type: 'reconnected', peer });
  }

  /** Everything is over. */
  closed(reason: CloseReason): void {
    const text = `connection with '${this.#endpoint.peer.serviceId}' ended: ${reason.code}`;
    this.#log(reason.error === undefined ? 'info' : 'warn', 'closed', text, reason.error);
    this.#publishDeath(reason);
    publish('closed', this.#endpoint, { reason });
    this.events.emit({ type: 'closed', reason });
    this.events.end();
  }

  #publishDeath(reason: CloseReason): void {
    if (reason.code === 'EIPC_PEER_DOWN' || reason.code === 'EIPC_TRUNCATED')
      publish('peer-down', this.#endpoint, { reason });
  }

  #log(level: LogRecord['level'], event: string, text: string, error?: EipcError): void {
    this.#logger?.({
      level,
      event,
      text,
      address: this.#endpoint.remoteAddress,
      serviceId: this.#endpoint.peer.serviceId,
      ...(error === undefined ? {} : { error }),
    });
  }
}
