// What the compiler must accept and refuse in programs that use the package. The checks are made by `npm run typecheck`.
import { expectTypeOf, it } from 'vitest';

import type {
  AckEvent,
  ClientEndpoint,
  CloseReason,
  ConnectOptions,
  ErrorCode,
  Message,
  Outgoing,
  Peer,
} from '../../src/index.js';
import { createMessage } from '../../src/index.js';

it('types payloads as the caller says, and as unknown when nothing is said', () => {
  expectTypeOf<ClientEndpoint['send']>().parameter(0).toEqualTypeOf<Outgoing>();
  const request = (endpoint: ClientEndpoint) => endpoint.request<AckEvent>({ type: 'intent' });
  expectTypeOf(request).returns.resolves.toEqualTypeOf<Message<AckEvent>>();
  expectTypeOf<Message['payload']>().toBeUnknown();
  expectTypeOf(createMessage('chat', 'x', { a: 1 }).payload).toEqualTypeOf<{ a: number }>();
});

it('takes a message wherever it takes something to send', () => {
  expectTypeOf<Message>().toExtend<Outgoing>();
});

it('knows every end of a connection by name', () => {
  expectTypeOf<CloseReason['code']>().toExtend<ErrorCode>();
});

it('keeps what is known about a peer from being changed', () => {
  expectTypeOf<Peer['capabilities']>().toEqualTypeOf<ReadonlySet<string>>();
  expectTypeOf<Peer['protocol']>().toEqualTypeOf<1 | 2>();
});

it('refuses what this build does not have', () => {
  // @ts-expect-error there is no such type
  expectTypeOf<{ type: 'nothing' }>().toExtend<Outgoing>();
  // @ts-expect-error reconnecting comes later
  expectTypeOf<{ serviceId: string; key: Uint8Array; reconnect: true }>().toExtend<ConnectOptions>();
});
