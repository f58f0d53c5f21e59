/** What the tests of the policy share: a server with one in the way of its handlers, its clients, and what was recorded and done. */
import { randomBytes } from 'node:crypto';
import { afterEach, expect } from 'vitest';

import { Key, PolicyEngine } from '../../src/index.js';
import type {
  ApprovalRequest,
  AuditSink,
  ClientEndpoint,
  ConnectOptions,
  ListenOptions,
  Outgoing,
  RequestOptions,
  Server,
} from '../../src/index.js';
import { FileScene } from './file-scene.js';

export const secret = randomBytes(32);
export const key = Key.fromBytes(secret);

/** A policy of each kind of rule. */
export function examplePolicy(): PolicyEngine {
  return new PolicyEngine({ aliases: { move_left: 'ui.cursor.move' } })
    .addRule({ action: 'ui.*', class: 'safe', capability: 'ui:control' })
    .addRule({ action: 'ai.chat.send', class: 'safe' })
    .addRule({ action: 'motor.*', class: 'controlled', capability: 'device:write' })
    .addRule({ action: 'motor.burn', class: 'controlled', verdict: 'deny' })
    .addRule({
      action: 'system.*',
      class: 'restricted',
      capability: 'system:restricted',
      description: 'stops the whole machine',
    });
}

export class PolicyScene extends FileScene {
  /** Actions whose handler ran, in order. */
  done: string[] = [];

  constructor() {
    super('policy');
    afterEach(() => {
      this.done = [];
    });
  }

  async serve(audit: AuditSink, options: Partial<ListenOptions> = {}, address?: string): Promise<Server> {
    const capabilities = ['ui:control', 'device:write', 'system:restricted'];
    const services = { 'eni.min': { key, capabilities } };
    const server = await this.listen({ services, policy: examplePolicy(), audit, ...options }, address);
    server.router
      ?.handle('intent', (message) => {
        this.done.push((message.payload as { intent: string }).intent);
        return { done: this.done.length };
      })
      .handle('chat', () => 'hello')
      .handle('features', () => void this.done.push('features'));
    return server;
  }

  dial(server: Server, options: Partial<ConnectOptions> = {}): Promise<ClientEndpoint> {
    return this.connect(server, { serviceId: 'eni.min', key, ...options });
  }
}

/** Asks for an action; resolves with the error, or with nothing when it was done. */
export function ask(
  client: ClientEndpoint,
  intent: string,
  message: Partial<Outgoing> = {},
  options: RequestOptions = {},
): Promise<unknown> {
  return failure(client.request({ type: 'intent', payload: { intent }, ...message }, options));
}

export function failure(work: Promise<unknown>): Promise<unknown> {
  return work.then(
    () => undefined,
    (error: unknown) => error,
  );
}

/** Waits until so many requests wait for an operator. */
export async function parked(server: Server, count = 1): Promise<readonly ApprovalRequest[]> {
  await expect.poll(() => server.approvals?.list().length, { timeout: 10_000, interval: 5 }).toBe(count);
  return server.approvals?.list() ?? [];
}

/** Waits for one. */
export async function parkedOne(server: Server): Promise<ApprovalRequest> {
  const [request] = await parked(server);
  if (request === undefined) throw new Error('nothing is parked');
  return request;
}
