/** An endpoint or a server that is sent to another thread is refused with a sentence, whatever way it is sent. */
import { randomBytes } from 'node:crypto';
import { inspect } from 'node:util';
import { MessageChannel } from 'node:worker_threads';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { connect, Key, listen } from '../../src/index.js';
import type { ClientEndpoint, Server } from '../../src/index.js';

const key = Key.fromBytes(randomBytes(32));
const { port1, port2 } = new MessageChannel();
let server: Server;
let client: ClientEndpoint;

beforeAll(async () => {
  server = await listen('memory:thread-bound', { services: { eni: { key, capabilities: [] } } });
  client = await connect('memory:thread-bound', { serviceId: 'eni', key });
});
afterAll(async () => {
  await client.close();
  await server.close();
  port1.close();
  port2.close();
});

describe.each([
  ['an endpoint', () => client],
  ['a server', () => server],
  ["a server's endpoint in its peer", () => [...server.endpoints][0]?.peer],
])('%s', (_name, object) => {
  const sentence = new RegExp(`^an? \\w+ belongs to the thread that made it.*connect or listen in that thread`);

  it.each([
    ['posted', () => port1.postMessage(object())],
    ['posted inside something else', () => port1.postMessage({ of: [object()] })],
    ['cloned', () => structuredClone(object())],
  ])('%s throws a TypeError that says what to do', (_how, send) => {
    expect(send).toThrow(TypeError);
    expect(send).toThrow(sentence);
  });

  it('is printed for people all the same', () => {
    expect(inspect(object())).toContain('boundToThread: [Getter]');
  });
});

it('an endpoint in a transfer list is refused', () => {
  expect(() => port1.postMessage(null, [client as never])).toThrow(/transfer/i);
});
