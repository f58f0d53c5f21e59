/**
 * What every kind of event has beside its type: a builder that refuses what nobody could read, a parser for payloads that came from a
 * peer, and the schema that a router can check them with. The kinds themselves are in `events.ts`.
 */
import * as v from 'valibot';

import type { MessageType } from './message.js';
import { badPayload, issuesText } from './schema.js';
import type { StandardSchema } from './schema.js';

/** One kind of event. Also a schema: `router.handle('intent', { schema: IntentEvent }, …)`. */
export interface EventType<T extends object> extends StandardSchema<T> {
  /** The type of the messages that carry it. */
  readonly type: MessageType;
  /**
   * Returns a checked copy of the fields, to be sent as a payload.
   *
   * @throws TypeError naming each field that is missing, wrong or unknown
   */
  create(fields: T): T;
  /**
   * Returns the event that a payload is. Fields that are not known are left out: a newer peer may have more.
   *
   * @throws ProtocolError `EIPC_BAD_PAYLOAD` naming each field that is missing or wrong
   */
  parse(payload: unknown): T;
}

/** Makes a kind of event out of the checks of its fields. */
export function eventType<const Entries extends v.ObjectEntries>(
  name: string,
  type: MessageType,
  entries: Entries,
): EventType<v.InferOutput<v.ObjectSchema<Entries, undefined>>> {
  type Event = v.InferOutput<v.ObjectSchema<Entries, undefined>>;
  const known = v.object(entries);
  const strict = v.strictObject(entries);
  return Object.freeze({
    type,
    '~standard': known['~standard'],
    create(fields: Event): Event {
      const result = v.safeParse(strict, fields);
      if (!result.success) throw new TypeError(`${name}: ${issuesText(result.issues)}`);
      return result.output;
    },
    parse(payload: unknown): Event {
      const result = v.safeParse(known, payload);
      if (!result.success) throw badPayload(name, result.issues);
      return result.output;
    },
  });
}
