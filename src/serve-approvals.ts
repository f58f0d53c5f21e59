/**
 * The address at which operators decide: EIPC itself, with a policy and an audit of its own, for this user alone. What is asked there are
 * `tool_request`s to `eipc.approvals.*` (docs/policy.md, "The admin address").
 */
import { inspect } from 'node:util';
import * as v from 'valibot';

import type { AuditSink } from './audit-sink.js';
import { checkNames } from './check.js';
import { makeError } from './errors.js';
import { ToolRequestEvent } from './events.js';
import type { ListenOptions, LogRecord, ServiceOptions } from './options.js';
import type { Peer } from './peer.js';
import { Approvals } from './policy/approvals.js';
import type { ApprovalEvent, ApprovalTarget } from './policy/approvals.js';
import { PolicyEngine } from './policy/policy-engine.js';
import { Router } from './router.js';
import { badPayload } from './schema.js';
import { listen } from './server.js';
import type { Server } from './server.js';
import type { ServerEndpoint } from './server-endpoint.js';
import { parseAddress } from './transport/address.js';

/** What operators hold. */
const CAPABILITY = 'eipc:approve';
const TOOL = 'eipc.approvals.';
/** Bulk, whose frames are the largest: a list may be long. */
const EVENT_PRIORITY = 3;
const OPTION_NAMES = ['operators', 'audit', 'serverId', 'logger', 'signal'];
const targetSchema = v.strictObject({ id: v.string(), digest: v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/)) });

/** Options of `serveApprovals`. */
export interface ServeApprovalsOptions {
  /** Who may decide, by the id under which the audit has what they did. Give each a key that no service has. */
  readonly operators: Readonly<Record<string, Pick<ServiceOptions, 'key'>>>;
  /** Where their decisions are recorded before they take effect; usually the log of the server itself. */
  readonly audit: AuditSink;
  /** Who this server is. Default `eipc-approvals`. */
  readonly serverId?: string;
  readonly logger?: (record: LogRecord) => void;
  readonly signal?: AbortSignal;
}

/**
 * Lets operators decide on the requests of a server, at an address of this user alone: `unix:/path`, `shm:NAME`, or in tests `memory:NAME`.
 *
 * @param approvals - `server.approvals`
 * @throws TypeError or RangeError for a wrong argument or another kind of address; rejects as `listen` does
 *
 * @example
 * const admin = await serveApprovals(server.approvals, 'unix:/run/eai/admin.sock', { operators: { ann: { key } }, audit });
 * // $ eipc approvals watch --admin unix:/run/eai/admin.sock --service ann --key ann.key
 */
export async function serveApprovals(
  approvals: Approvals | null,
  address: string,
  options: ServeApprovalsOptions,
): Promise<Server> {
  if (!(approvals instanceof Approvals))
    throw new TypeError(`approvals must be those of a server with a policy, not ${inspect(approvals, { depth: 0 })}`);
  checkNames(options, OPTION_NAMES, 'serveApprovals');
  const { transport } = parseAddress(address);
  if (transport !== 'unix' && transport !== 'shm' && transport !== 'memory')
    throw new RangeError(
      `${address}: approvals are decided where the kernel lets nobody else in: use unix:/path or shm:NAME`,
    );
  const { operators, serverId = 'eipc-approvals', audit, logger, signal } = options;
  const watchers = new Watchers(approvals);
  const listenOptions: ListenOptions = {
    services: Object.fromEntries(
      Object.entries(operators).map(([id, { key }]) => [id, { key, capabilities: [CAPABILITY] }]),
    ),
    serverId,
    audit,
    policy: adminPolicy(),
    router: adminRouter(approvals, watchers),
    ...(logger === undefined ? {} : { logger }),
    ...(signal === undefined ? {} : { signal }),
  };
  const server = await listen(address, listenOptions);
  void watchers.run();
  void server.closed.then(() => watchers.end());
  return server;
}

function adminPolicy(): PolicyEngine {
  const policy = new PolicyEngine();
  for (const name of ['list', 'watch'])
    policy.addRule({ action: `${TOOL}${name}`, class: 'safe', capability: CAPABILITY });
  for (const name of ['approve', 'deny'])
    policy.addRule({ action: `${TOOL}${name}`, class: 'controlled', capability: CAPABILITY });
  return policy;
}

function adminRouter(approvals: Approvals, watchers: Watchers): Router {
  const decide = async (how: 'approve' | 'deny', args: unknown, { serviceId }: Peer): Promise<object> => {
    await approvals[how](targetOf(args), { by: serviceId });
    return {};
  };
  return new Router().handle('tool_request', { schema: ToolRequestEvent }, (message, peer) => {
    const { tool, args } = message.payload;
    switch (tool) {
      case `${TOOL}list`:
        return { requests: approvals.list() };
      case `${TOOL}watch`:
        watchers.add(peer.endpoint as ServerEndpoint);
        return { requests: approvals.list() };
      case `${TOOL}approve`:
        return decide('approve', args, peer);
      case `${TOOL}deny`:
        return decide('deny', args, peer);
      default:
        // The policy lets no other tool come so far.
        throw makeError('EIPC_UNKNOWN_TYPE', `no tool ${inspect(tool)}`);
    }
  });
}

function targetOf(args: unknown): ApprovalTarget {
  const { success, output, issues } = v.safeParse(targetSchema, args);
  if (success) return output;
  throw badPayload(
    'args of a decision',
    issues.map(({ message }) => ({ message, path: [] })),
  );
}

/** Operators who want to hear of every change. */
class Watchers {
  readonly #events: AsyncIterableIterator<ApprovalEvent>;
  readonly #endpoints = new Set<ServerEndpoint>();

  constructor(approvals: Approvals) {
    this.#events = approvals[Symbol.asyncIterator]();
  }

  add(endpoint: ServerEndpoint): void {
    if (this.#endpoints.has(endpoint)) return;
    this.#endpoints.add(endpoint);
    void endpoint.closed.then(() => this.#endpoints.delete(endpoint));
  }

  /** Passes on what happens, until nothing does any more. Whoever does not read misses it, and sees in the list what is true. */
  async run(): Promise<void> {
    for await (const { type, request, by, reason } of this.#events) {
      const of = { request_id: request.requestId, allowed: type === 'approved', action: request.action, reason };
      const payload = { ...of, event: type, by, request };
      for (const endpoint of this.#endpoints) {
        try {
          endpoint.trySend({ type: 'policy_result', priority: EVENT_PRIORITY, payload, payloadFormat: 'json' });
        } catch {
          this.#endpoints.delete(endpoint); // it is closing
        }
      }
    }
  }

  end(): void {
    void this.#events.return?.();
  }
}
