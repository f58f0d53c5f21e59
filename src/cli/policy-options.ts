/**
 * The options by which `eipc listen` has a policy, an audit and an address for operators; and what SIGHUP does then.
 */
import type { Command } from 'commander';
import type { AuditLogger, Key, ListenOptions, PolicyEngine, Server } from '../index.js';
import { parseServiceId } from './commands/keygen.js';
import { quoteValue } from './escape.js';
import { CliError, EXIT } from './exit.js';
import { explained } from './peer-options.js';

/** The options. */
export interface PolicyOptions {
  readonly policy?: string;
  readonly audit?: string;
  readonly auditKey?: string;
  readonly admin?: string;
  readonly operator?: Readonly<Record<string, string>>;
}

/** Adds them to a command. */
export function addPolicyOptions(command: Command): Command {
  return command
    .option('--policy <file>', 'what the service may do (docs/policy.md); needs --audit; read again on SIGHUP')
    .option('--audit <file>', 'record who came, and what was decided (docs/audit.md)')
    .option('--audit-key <file>', 'the key with which a new audit log begins')
    .option('--admin <address>', 'where operators approve, see `eipc approvals`; needs --policy and --operator')
    .option('--operator <id=keyfile...>', 'who may approve, and by which key', eachOperator);
}

/** What a server with these options has beside its connections. Close it after the server. */
export class Guard {
  readonly policy: PolicyEngine | undefined;
  readonly #audit: AuditLogger | undefined;
  readonly #options: PolicyOptions;
  #admin: Server | undefined;

  private constructor(options: PolicyOptions, audit: AuditLogger | undefined, policy: PolicyEngine | undefined) {
    this.#options = options;
    this.#audit = audit;
    this.policy = policy;
  }

  /** Opens what the options name. */
  static async open(options: PolicyOptions): Promise<Guard> {
    checkOptions(options);
    const { AuditLogger, PolicyEngine } = await import('../index.js');
    const key = options.auditKey === undefined ? undefined : await readKey(options.auditKey);
    const audit =
      options.audit === undefined
        ? undefined
        : await explained(AuditLogger.open(options.audit, key === undefined ? {} : { key }));
    try {
      const ofAudit = audit === undefined ? {} : { audit };
      const policy =
        options.policy === undefined ? undefined : await explained(PolicyEngine.load(options.policy, ofAudit));
      return new Guard(options, audit, policy);
    } catch (error) {
      await audit?.close();
      throw error;
    }
  }

  /** What `listen` gets. */
  get listenOptions(): Pick<ListenOptions, 'audit' | 'policy'> {
    return {
      ...(this.#audit === undefined ? {} : { audit: this.#audit }),
      ...(this.policy === undefined ? {} : { policy: this.policy }),
    };
  }

  /** Takes decisions about the requests of a server. Returns where; nothing without `--admin`. */
  async serveAdmin(server: Server): Promise<string | undefined> {
    const { admin, operator = {} } = this.#options;
    if (admin === undefined || this.#audit === undefined) return undefined;
    const { serveApprovals } = await import('../index.js');
    const operators: Record<string, { key: Key }> = {};
    for (const [id, file] of Object.entries(operator)) operators[id] = { key: await readKey(file) };
    this.#admin = await explained(serveApprovals(server.approvals, admin, { operators, audit: this.#audit }));
    return this.#admin.addresses[0];
  }

  async close(): Promise<void> {
    await this.#admin?.close();
    await this.#audit?.close();
  }
}

function checkOptions({ policy, audit, auditKey, admin, operator }: PolicyOptions): void {
  const needs = (name: string, given: unknown, needed: string, other: unknown): void => {
    if (given !== undefined && other === undefined) throw new CliError(EXIT.usage, `${name} needs ${needed}`);
  };
  needs('--policy', policy, '--audit FILE: controlled actions are recorded before they take effect', audit);
  needs('--audit-key', auditKey, '--audit FILE', audit);
  needs('--admin', admin, '--policy FILE: nothing else asks for an operator', policy);
  needs('--admin', admin, '--operator ID=KEYFILE: somebody has to be let in', operator);
  needs('--operator', operator, '--admin ADDRESS', admin);
}

function eachOperator(
  value: string,
  before: Readonly<Record<string, string>> | undefined,
): Readonly<Record<string, string>> {
  const at = value.indexOf('=');
  if (at < 1 || at === value.length - 1)
    throw new CliError(EXIT.usage, `--operator is ${quoteValue(value)}; it must be ID=KEYFILE, such as ann=ann.key`);
  return { ...before, [parseServiceId(value.slice(0, at))]: value.slice(at + 1) };
}

async function readKey(file: string): Promise<Key> {
  const { readKeyFile } = await import('../index.js');
  return explained(readKeyFile(file));
}
