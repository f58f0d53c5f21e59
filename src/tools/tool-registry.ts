/**
 * The tools that services offer: who may define which names, which descriptors an operator has approved, and how those that run a command are
 * run. What is not approved, exactly as it is now, is not called.
 */
import { inspect } from 'node:util';

import type { AuditDecision, AuditSink } from '../audit-sink.js';
import { AuditTrail, RefusalTrail } from '../audit-trail.js';
import { auditSink, checkNames, checkServiceId } from '../check.js';
import { EipcError, makeError } from '../errors.js';
import { messageDigest } from '../message-digest.js';
import type { Message } from '../message.js';
import type { Peer } from '../peer.js';
import type { Handler } from '../router.js';
import { badPayload } from '../schema.js';
import { runCommand } from './run-command.js';
import type { CommandResult } from './run-command.js';
import { readArguments, renderArgv } from './tool-arguments.js';
import { hashTool, readTool } from './tool-descriptor.js';
import type { Tool, ToolDescriptor } from './tool-descriptor.js';

/** Names that are ours (docs/wire.md, "Requests and replies"). */
const RESERVED = 'eipc';
const MAX_TOOLS_OF_OWNER = 64;
const MAX_NAMESPACES_OF_OWNER = 8;
const NAMESPACE = /^[a-z][a-z0-9_-]{0,127}$/;
const HASH = /^[0-9a-f]{64}$/;
/** Fields of the payload of a `tool_request`. */
const FIELDS = new Set(['tool', 'args', 'permission', 'audit_id']);

/** Options of `new ToolRegistry`. */
export interface ToolRegistryOptions {
  /** The hashes of approved tools by name, as `approved()` returned them: approvals that outlive the process. */
  readonly approved?: Readonly<Record<string, string>>;
  /** Which service owns which namespace from the beginning, as `owners()` returned it. Any other belongs to the first that registers in it. */
  readonly owners?: Readonly<Record<string, string>>;
  /** Where is recorded what was registered, approved, refused and run. A command is not run before its line is durable. */
  readonly audit?: AuditSink;
}

/** What a registry tells of a tool. */
export interface ToolEntry extends Omit<Tool, 'parameters'> {
  readonly parameters: NonNullable<ToolDescriptor['parameters']>;
  /** The service that offers it. */
  readonly owner: string;
  /** What it is approved by: SHA-256 of its owner and of everything above. */
  readonly hash: string;
  /** `pending`: as it is now, nobody has approved it, so that nobody can call it. */
  readonly state: 'approved' | 'pending';
}

/** A tool that is registered. */
interface Held {
  readonly tool: Tool;
  readonly owner: string;
  readonly hash: string;
}

/**
 * Holds the tools of a server.
 *
 * @example
 * const tools = new ToolRegistry({ audit });
 * const { hash } = tools.register('eai.files', {
 *   name: 'files.list',
 *   capability: 'files:read',
 *   parameters: { folder: { type: 'string', choices: ['inbox', 'outbox'] } },
 *   argv: ['/bin/ls', '-l', '--', '/srv/eai/{folder}'],
 * });
 * tools.approve('files.list', hash);
 * server.router.handle('tool_request', tools.handler());
 */
export class ToolRegistry {
  readonly #tools = new Map<string, Held>();
  readonly #owners = new Map<string, string>();
  readonly #approved = new Map<string, string>();
  readonly #audit: AuditSink | undefined;
  readonly #trail: AuditTrail | undefined;
  readonly #refusals: RefusalTrail | undefined;

  /** @throws TypeError or RangeError for a wrong option */
  constructor(options: ToolRegistryOptions = {}) {
    checkNames(options, ['approved', 'owners', 'audit'], 'ToolRegistry');
    for (const [namespace, owner] of Object.entries(options.owners ?? {})) {
      checkNamespace(namespace);
      checkServiceId(owner, `the owner of '${namespace}'`);
      this.#owners.set(namespace, owner);
    }
    for (const [name, hash] of Object.entries(options.approved ?? {})) this.#approved.set(name, checkHash(hash));
    this.#audit = auditSink(options.audit);
    this.#trail = this.#audit === undefined ? undefined : new AuditTrail(this.#audit, undefined);
    this.#refusals = this.#trail === undefined ? undefined : new RefusalTrail(this.#trail);
  }

  /**
   * Takes a tool that a service offers, or takes it anew. It can be called when exactly this descriptor is approved, at once if it was before; a
   * change waits for another approval.
   *
   * @param owner - the service: its id, or better its peer, who is authenticated
   * @throws ProtocolError `EIPC_BAD_PAYLOAD` for a descriptor that is none; PolicyError `EIPC_POLICY` when the namespace is another's, or the
   * service has 64 tools or 8 namespaces
   */
  register(owner: string | Peer, descriptor: ToolDescriptor): ToolEntry {
    const ownerId = typeof owner === 'string' ? owner : owner.serviceId;
    checkServiceId(ownerId, 'owner', typeof owner === 'string' ? 2 : owner.protocol);
    const tool = readTool(descriptor);
    const { name, namespace } = tool;
    const why = this.#whyNot(ownerId, tool);
    if (why !== undefined) throw this.#refuse(ownerId, 'tool.register', makeError('EIPC_POLICY', why));
    this.#owners.set(namespace, ownerId);
    const held = { tool, owner: ownerId, hash: hashTool(ownerId, tool) };
    const before = this.#tools.get(name)?.hash;
    this.#tools.set(name, held);
    const entry = this.#entry(held);
    if (before !== held.hash) this.#note(ownerId, 'tool.register', 'note', `${name} ${held.hash}: ${entry.state}`);
    return entry;
  }

  /**
   * Takes a tool away. Its namespace stays its owner's. Returns false when it is not one of this service.
   *
   * @param owner - as for `register`
   */
  remove(owner: string | Peer, name: string): boolean {
    const ownerId = typeof owner === 'string' ? owner : owner.serviceId;
    if (this.#tools.get(name)?.owner !== ownerId) return false;
    this.#tools.delete(name);
    this.#note(ownerId, 'tool.remove', 'note', name);
    return true;
  }

  /**
   * Lets a tool be called, as an operator has seen it.
   *
   * @param hash - of what was seen: if the tool was changed since then, it is not approved
   * @throws PolicyError `EIPC_POLICY` when no tool of this name has this hash now
   */
  approve(name: string, hash: string): ToolEntry {
    checkHash(hash);
    const held = this.#tools.get(name);
    if (held?.hash !== hash) {
      const is = held === undefined ? 'there is no such tool' : `it is ${held.hash} now; look at it again`;
      throw makeError('EIPC_POLICY', `${inspect(name)} with the hash ${hash} cannot be approved: ${is}`);
    }
    this.#approved.set(name, hash);
    this.#note(held.owner, 'tool.approve', 'allow', `${name} ${hash}`);
    return this.#entry(held);
  }

  /** Lets a tool be called no more, from now on. Returns false when it was not approved. */
  disapprove(name: string): boolean {
    if (!this.#approved.delete(name)) return false;
    this.#note(this.#tools.get(name)?.owner ?? '', 'tool.disapprove', 'deny', name);
    return true;
  }

  /** Takes a namespace from its owner, with every tool in it, so that another may have it. Returns false when nobody owns it. */
  release(namespace: string): boolean {
    const owner = this.#owners.get(namespace);
    if (owner === undefined) return false;
    this.#owners.delete(namespace);
    for (const [name, { tool }] of this.#tools) if (tool.namespace === namespace) this.#tools.delete(name);
    this.#note(owner, 'tool.release', 'note', namespace);
    return true;
  }

  /** Returns every tool, approved or not. */
  list(): ToolEntry[] {
    return [...this.#tools.values()].map((held) => this.#entry(held));
  }

  /** Returns the approvals, to be kept and given to the next registry. */
  approved(): Record<string, string> {
    return Object.fromEntries(this.#approved);
  }

  /** Returns who owns which namespace, to be kept and given to the next registry. */
  owners(): Record<string, string> {
    return Object.fromEntries(this.#owners);
  }

  /**
   * Makes the handler of `tool_request`: it lets through calls of approved tools, by peers whose effective rights contain the tool's capability,
   * with exactly the arguments that the tool declares. Those that run a command it runs; the answer has `status` (`ok`, or `failed` when the
   * exit code is not 0), `exit_code`, `signal`, `stdout` and `stderr`.
   *
   * @param serve - serves the tools that run no command
   */
  handler(serve?: Handler): Handler {
    return async (message, peer, context) => {
      const { tool, argv } = this.#admit(message, peer, serve !== undefined);
      if (argv === undefined) return serve?.(message, peer, context);
      const { timeout, maxOutput } = tool;
      // Durable first: what cannot be recorded is not done (EIPC_AUDIT).
      await this.#audit?.log(entryOf(message, peer, tool, 'allow', `run ${argv.map((one) => inspect(one)).join(' ')}`));
      // The disk may have been slow, and rights and approvals may be others by now.
      if (this.#admit(message, peer, true).tool !== tool)
        throw makeError('EIPC_POLICY', `'${tool.name}' was changed while its call was being recorded`);
      let result: CommandResult;
      try {
        result = await runCommand(argv, { timeout, maxOutput, signal: context.signal });
      } catch (error) {
        const why = error instanceof EipcError ? `${error.code}: ${error.message}` : String(error);
        this.#trail?.log(entryOf(message, peer, tool, 'note', why));
        throw error;
      }
      const { exitCode, signal, stdout, stderr } = result;
      const end = signal === null ? `exit code ${exitCode}` : `ended by ${signal}`;
      this.#trail?.log(entryOf(message, peer, tool, 'note', end));
      return { status: exitCode === 0 ? 'ok' : 'failed', exit_code: exitCode, signal, stdout, stderr };
    };
  }

  /** Finds the tool of a call, and checks everything about both. Returns what it runs, too, if it runs something. */
  #admit(message: Message, peer: Peer, canServe: boolean): { tool: Tool; argv: string[] | undefined } {
    try {
      const { name, args, permission } = readCall(message.payload);
      const held = this.#tools.get(name);
      if (held === undefined || this.#approved.get(name) !== held.hash)
        throw makeError('EIPC_POLICY', `${inspect(name)} is ${held === undefined ? 'no tool' : 'not approved'} here`);
      const { tool } = held;
      const claims = [message.capability, permission].filter((claim) => claim !== '');
      if (!peer.capabilities.has(tool.capability) || claims.some((claim) => claim !== tool.capability))
        throw makeError('EIPC_CAPABILITY', `'${name}' needs '${tool.capability}', which this call does not have`);
      if (tool.argv === undefined && !canServe) throw makeError('EIPC_UNKNOWN_TYPE', `nothing serves '${name}' here`);
      const values = readArguments(tool, args);
      return { tool, argv: tool.argv === undefined ? undefined : renderArgv(tool.argv, tool, values) };
    } catch (error) {
      if (error instanceof EipcError)
        this.#refusals?.log(() => ({
          peer: peer.serviceId,
          action: 'tool.call',
          decision: 'deny',
          result: `${error.code}: ${error.message}`,
          requestId: message.requestId,
          frame: messageDigest(message),
        }));
      throw error;
    }
  }

  /** Says why a service may not register a tool. */
  #whyNot(owner: string, { name, namespace }: Tool): string | undefined {
    if (namespace === RESERVED) return `${inspect(name)}: the namespace '${RESERVED}' is EIPC's own`;
    const known = this.#owners.get(namespace);
    if (known !== undefined && known !== owner) return `${inspect(name)}: the namespace '${namespace}' is another's`;
    const namespaces = [...this.#owners.values()].filter((one) => one === owner).length;
    if (known === undefined && namespaces >= MAX_NAMESPACES_OF_OWNER)
      return `${inspect(name)}: '${owner}' has ${MAX_NAMESPACES_OF_OWNER} namespaces already`;
    const tools = [...this.#tools.values()].filter((held) => held.owner === owner).length;
    if (!this.#tools.has(name) && tools >= MAX_TOOLS_OF_OWNER)
      return `${inspect(name)}: '${owner}' has ${MAX_TOOLS_OF_OWNER} tools already`;
    return undefined;
  }

  #entry({ tool, owner, hash }: Held): ToolEntry {
    const state = this.#approved.get(tool.name) === hash ? 'approved' : 'pending';
    return Object.freeze({
      ...tool,
      parameters: Object.freeze(Object.fromEntries(tool.parameters)),
      owner,
      hash,
      state,
    });
  }

  #note(peer: string, action: string, decision: AuditDecision, result: string): void {
    this.#trail?.log({ peer, action, decision, result });
  }

  #refuse(peer: string, action: string, error: EipcError): EipcError {
    this.#refusals?.log(() => ({ peer, action, decision: 'deny', result: `${error.code}: ${error.message}` }));
    return error;
  }
}

/** Reads the payload of a `tool_request`. A field that nobody knows could be one that somebody obeys. */
function readCall(payload: unknown): { name: string; args: unknown; permission: string } {
  const refused = (message: string): EipcError => badPayload('a tool_request', [{ message }]);
  if (typeof payload !== 'object' || payload === null || Array.isArray(payload))
    throw refused(`its payload is an object, not ${inspect(payload, { depth: 0 })}`);
  for (const field of Object.keys(payload)) if (!FIELDS.has(field)) throw refused(`it has no field ${inspect(field)}`);
  const { tool, args = {}, permission = '', audit_id: auditId = '' } = payload as Record<string, unknown>;
  if (typeof tool !== 'string') throw refused(`'tool' is ${inspect(tool, { depth: 0 })}; it must be a string`);
  if (typeof permission !== 'string' || typeof auditId !== 'string')
    throw refused("'permission' and 'audit_id' are strings");
  return { name: tool, args, permission };
}

function entryOf(message: Message, { serviceId }: Peer, { name }: Tool, decision: AuditDecision, result: string) {
  const { requestId } = message;
  return { peer: serviceId, action: name, decision, result, requestId, frame: messageDigest(message) };
}

function checkNamespace(namespace: string): void {
  if (NAMESPACE.test(namespace) && namespace !== RESERVED) return;
  throw new RangeError(
    `${inspect(namespace)} is no namespace; it is a-z, then a-z 0-9 _ -, without dots, and not '${RESERVED}'`,
  );
}

function checkHash(hash: string): string {
  if (typeof hash === 'string' && HASH.test(hash)) return hash;
  throw new RangeError(`${inspect(hash)} is no hash of a tool; it is 64 hex digits, as list() shows it`);
}
