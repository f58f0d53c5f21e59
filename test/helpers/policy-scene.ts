/** What the tests of the policy share: a server with one in the way of its handlers, its clients, and what was recorded and done. */
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect } from 'vitest';

import { connect, Key, listen, PolicyEngine } from '../../src/index.js';
import type {
  ApprovalRequest,
  AuditEntry,
  AuditSink,
  ClientEndpoint,
  ConnectOptions,
  ListenOptions,
  Outgoing,
  RequestOptions,
  Server,
} from '../../src/index.js';

export const secret = randomBytes(32);
export const key = Key.fromBytes(secret);

/** Keeps what it is told; durable when the test says so. */
export class Notebook implements AuditSink {
  readonly entries: AuditEntry[] = [];
  /** While it is one, entries are durable when it resolves. */
  gate: Promise<void> = Promise.resolve();
  failure: Error | undefined;

  async log(entry: AuditEntry): Promise<void> {
    await this.gate;
    if (this.failure !== undefined) throw this.failure;
    this.entries.push(entry);
  }

  /** Decisions about actions, without sessions. */
  decisions(): string[] {
    return this.entries
      .filter(({ action }) => !action.startsWith('session.') && !action.startsWith('policy.'))
      .map(({ action, decision }) => `${decision} ${action}`);
  }

  of(action: string): AuditEntry[] {
    return this.entries.filter((entry) => entry.action === action);
  }
}

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

export class PolicyScene {
  folder = '';
  /** Actions whose handler ran, in order. */
  done: string[] = [];
  readonly #open: { close(options?: object): Promise<unknown> }[] = [];
  #count = 0;

  constructor() {
    beforeAll(() => {
      this.folder = mkdtempSync(join(tmpdir(), 'eipc-policy-'));
    });
    afterEach(async () => {
      for (const one of this.#open.splice(0).reverse()) await one.close({ timeout: 500 });
      this.done = [];
    });
    afterAll(() => rmSync(this.folder, { recursive: true, force: true }));
  }

  /** Closes something after the test. */
  keep<T extends { close(options?: object): Promise<unknown> }>(one: T): T {
    this.#open.push(one);
    return one;
  }

  async serve(audit: AuditSink, options: Partial<ListenOptions> = {}, address?: string): Promise<Server> {
    this.#count += 1;
    const capabilities = ['ui:control', 'device:write', 'system:restricted'];
    const server = await listen(address ?? `memory:policy-${this.#count}`, {
      services: { 'eni.min': { key, capabilities } },
      policy: examplePolicy(),
      audit,
      ...options,
    });
    server.router
      ?.handle('intent', (message) => {
        this.done.push((message.payload as { intent: string }).intent);
        return { done: this.done.length };
      })
      .handle('chat', () => 'hello')
      .handle('features', () => void this.done.push('features'));
    return this.keep(server);
  }

  async dial(server: Server, options: Partial<ConnectOptions> = {}): Promise<ClientEndpoint> {
    return this.keep(await connect(server.addresses[0] ?? '', { serviceId: 'eni.min', key, ...options }));
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
