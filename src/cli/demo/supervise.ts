/**
 * Runs the demo's processes from start to end, whatever happens to them, and says what came of it.
 *
 * Order: EAI starts and listens, then ENI starts and connects. At the end ENI closes its session, which ends EAI as well.
 * With an attack, attacker and decoy (`siege.ts`) begin before ENI does, and EAI ends after them.
 * A process that does not end when it should is asked, then killed; nothing is left running and no folder stays.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { escapeText } from '../escape.js';
import { CliError, errorText, EXIT, type ExitCode } from '../exit.js';
import { createKey } from '../../new-key.js';
import type { AttackTotals } from './attack/tally.js';
import type { EaiJob, EniJob, Speed } from './job.js';
import type { DecoyReport, EaiReport, EaiTotals, EniReport, EniTotals, Report } from './reports.js';
import { type Exit, RoleProcess } from './role-process.js';
import { Siege } from './siege.js';
import type { SignalSpec } from './signal.js';

/** For Node to start and load the library on a busy machine. */
const START_DEADLINE = 20_000;
/** For a process to end after its counterpart has. */
const END_DEADLINE = 5_000;

/** Port 0: the kernel chooses a free one, and EAI reports which. */
const ANY_PORT = '127.0.0.1:0';

/** For every attack to be tried once, where the honest stream is over sooner. */
const ROUND_DEADLINE = 20_000;

const NEVER = new Promise<never>(() => undefined);

type AnyRole = RoleProcess<EniReport> | RoleProcess<EaiReport> | RoleProcess<DecoyReport>;

export interface DemoPlan {
  readonly transport: 'shm' | 'unix' | 'tcp' | 'tls';
  readonly signal: SignalSpec;
  readonly speed: Speed;
  readonly attack: boolean;
}

/** What to tell the user on the way. */
export interface Observer {
  started(role: 'ENI' | 'EAI' | 'decoy', pid: number | undefined): void;
  eni(report: EniReport): void;
  eai(report: EaiReport): void;
}

export interface Outcome {
  readonly address: string;
  /** The last totals that arrived; null if none did. */
  readonly eni: EniTotals | null;
  readonly eai: EaiTotals | null;
  readonly suite: string | null;
  /** What came of the attack; null if nobody attacked. */
  readonly attacks: AttackTotals | null;
  /** What went wrong with the processes (lost messages are not counted here), or null. */
  readonly failure: { readonly exitCode: ExitCode; readonly message: string } | null;
}

/**
 * Runs the demo.
 *
 * @param interrupt asks both processes to finish early; the outcome then has no failure
 * @throws {CliError} if nothing could be started
 */
export async function supervise(plan: DemoPlan, observer: Observer, interrupt: AbortSignal): Promise<Outcome> {
  const place = await makeAddress(plan);
  try {
    return await new Supervisor(plan, place, observer).run(interrupt);
  } finally {
    await place.remove();
  }
}

class Supervisor {
  readonly #plan: DemoPlan;
  /** Where EAI is to listen; from its report on, where it does. */
  #address: string;
  readonly #observer: Observer;
  readonly #key = createKey();
  readonly #siege: Siege | null;
  #eniTotals: EniTotals | null = null;
  #eaiTotals: EaiTotals | null = null;
  #suite: string | null = null;
  /** By what ENI knows EAI's certificate; null without TLS. */
  #fingerprint: string | null = null;

  constructor(plan: DemoPlan, { address, folder }: MadeAddress, observer: Observer) {
    this.#plan = plan;
    this.#address = address;
    this.#observer = observer;
    this.#siege = plan.attack && folder !== null ? new Siege(folder) : null;
  }

  async run(interrupt: AbortSignal): Promise<Outcome> {
    const eai = this.#startEai();
    let eni: RoleProcess<EniReport> | null = null;
    const killAll = () => {
      eni?.kill();
      this.#siege?.kill();
      eai.kill();
    };
    process.once('exit', killAll); // for a way out that nobody thought of; a killed parent closes their stdin
    const interrupted = () => (eni ?? eai).stop();
    interrupt.addEventListener('abort', interrupted, { once: true });
    try {
      if (interrupt.aborted) interrupted();
      await within(START_DEADLINE, eai.waitFor('listening'));
      if (eai.hasReported('listening') && !interrupt.aborted) {
        if (this.#siege !== null) this.#observer.started('decoy', await this.#siege.begin(this.#address));
        eni = this.#startEni();
        await this.#accompany(eni, eai, interrupt);
      } else {
        await end(eai, 0);
      }
      const failure = interrupt.aborted ? null : await findFailure([eni, this.#siege?.decoy ?? null, eai]);
      const [eniTotals, eaiTotals, attacks] = [this.#eniTotals, this.#eaiTotals, this.#siege?.totals() ?? null];
      return { address: this.#address, eni: eniTotals, eai: eaiTotals, suite: this.#suite, attacks, failure };
    } finally {
      killAll();
      await this.#siege?.end();
      process.removeListener('exit', killAll);
      interrupt.removeEventListener('abort', interrupted);
      this.#key.fill(0);
    }
  }

  async #accompany(eni: RoleProcess<EniReport>, eai: RoleProcess<EaiReport>, interrupt: AbortSignal): Promise<void> {
    const asked = new Promise<void>((resolve) => {
      interrupt.addEventListener('abort', () => resolve(), { once: true });
    });
    const connected = await within(START_DEADLINE, Promise.race([eni.waitFor('connected'), eai.exited, asked]));
    const decoy = this.#siege?.decoy ?? null;
    const decoyDied = decoy === null ? NEVER : decoy.exited.then(() => 'decoy');
    const first = connected ? await Promise.race([eni.exited, eai.exited, asked, decoyDied]) : undefined;
    // A session that ended takes the other process with it; without one, EAI would wait for the first for ever.
    await end(eni, first === 'decoy' ? 0 : END_DEADLINE);
    const hadSession = eni.hasReported('connected') || eai.hasReported('session');
    if (this.#siege !== null) {
      // A short stream may be over before everything was tried once.
      const isWhole = hadSession && !interrupt.aborted;
      if (isWhole) await within(ROUND_DEADLINE, Promise.race([this.#siege.round, eai.exited, asked, decoyDied]));
      if (decoy !== null) await end(decoy, 0);
      await this.#siege.end();
    }
    // Under attack EAI has stayed for the attacker.
    await end(eai, hadSession && this.#siege === null ? END_DEADLINE : 0);
  }

  #startEai(): RoleProcess<EaiReport> {
    const siege = this.#siege;
    const address = this.#address;
    const job: EaiJob =
      siege === null ? { role: 'eai', address } : { role: 'eai', address, decoys: siege.decoyAddresses };
    const keys = siege === null ? [this.#key] : [this.#key, siege.key];
    const onReport = (report: EaiReport) => {
      if (report.kind === 'listening') [this.#address, this.#fingerprint] = [report.address, report.fingerprint];
      siege?.takeEai(report);
      if (report.kind === 'progress' || report.kind === 'done') this.#eaiTotals = report.totals;
      this.#observer.eai(report);
    };
    const eai = new RoleProcess<EaiReport>({ name: 'EAI', job, keys, onReport });
    this.#observer.started('EAI', eai.pid);
    return eai;
  }

  #startEni(): RoleProcess<EniReport> {
    const { signal, speed } = this.#plan;
    const job: EniJob = { role: 'eni', address: this.#address, fingerprint: this.#fingerprint, signal, speed };
    const onReport = (report: EniReport) => {
      if (report.kind === 'progress' || report.kind === 'done') this.#eniTotals = report.totals;
      if (report.kind === 'connected') this.#suite = report.suite;
      this.#observer.eni(report);
    };
    const eni = new RoleProcess<EniReport>({ name: 'ENI', job, keys: [this.#key], onReport });
    this.#observer.started('ENI', eni.pid);
    return eni;
  }
}

/** Gives a process some time to end by itself, then asks, then kills. */
async function end(role: AnyRole, patience: number): Promise<void> {
  if (patience > 0 && (await within(patience, role.exited))) return;
  role.stop();
  if (await within(END_DEADLINE, role.exited)) return;
  role.kill();
  await role.exited;
}

/** Waits for a promise, but not longer than `deadline`; tells whether it settled in time. */
async function within(deadline: number, promise: Promise<unknown>): Promise<boolean> {
  const cancel = new AbortController();
  const late = sleep(deadline, false, { signal: cancel.signal }).catch(() => false);
  const isInTime = await Promise.race([promise.then(() => true), late]);
  cancel.abort();
  return isInTime;
}

/** Names the process that broke first: one that was killed explains why the other complained. */
async function findFailure(roles: readonly (AnyRole | null)[]): Promise<Outcome['failure']> {
  const problems = [];
  for (const role of roles) {
    if (role !== null) problems.push(describeEnd(role, await role.exited, hasBegun(role)));
  }
  const found = problems.filter((problem) => problem !== null);
  found.sort((one, other) => one.rank - other.rank);
  return found[0] ?? null;
}

/** Whether it got as far as its work. */
function hasBegun(role: AnyRole): boolean {
  const marks = ['listening', 'connected', 'started'] as const;
  return marks.some((mark) => (role as RoleProcess<Report>).hasReported(mark));
}

function describeEnd(
  role: AnyRole,
  exit: Exit,
  isUnderWay: boolean,
): { rank: number; exitCode: ExitCode; message: string } | null {
  const exitCode = isUnderWay ? EXIT.refused : EXIT.environment;
  const who = `the ${role.name} process`;
  if (exit.signal !== null && !role.isStopped) {
    return { rank: 0, exitCode, message: `${who} (pid ${role.pid}) died: ${exit.signal}` };
  }
  if (role.failure !== null) {
    const message = escapeText(role.failure.message, { maxBytes: 1_024 });
    const causes = { input: EXIT.usage, start: EXIT.environment, run: EXIT.refused } as const;
    const begun = role.failure.cause === 'start' ? `${who} cannot start: ` : `${who} gave up: `;
    const text = role.failure.cause === 'input' ? message : begun + message;
    return { rank: role.failure.cause === 'input' ? 0 : 1, exitCode: causes[role.failure.cause], message: text };
  }
  const said = exit.stray.trim() === '' ? '' : `; it said: ${escapeText(exit.stray.trim(), { maxBytes: 1_024 })}`;
  if (role.isStopped && !role.hasReported('done')) {
    return {
      rank: 2,
      exitCode,
      message: `${who} did not ${isUnderWay ? 'end' : 'start'} in time and was stopped${said}`,
    };
  }
  if (exit.code === 0 && role.hasReported('done')) return null;
  const code = exit.code === null ? 'could not be started' : `ended with code ${exit.code} and no result`;
  return { rank: 1, exitCode, message: `${who} ${code}${said}` };
}

interface MadeAddress {
  readonly address: string;
  /** A folder of this run alone; null where it needs none. */
  readonly folder: string | null;
  readonly remove: () => Promise<void>;
}

/** Chooses an address that no other run uses. */
async function makeAddress({ transport, attack }: DemoPlan): Promise<MadeAddress> {
  const withoutFolder = (address: string): MadeAddress => ({ address, folder: null, remove: async () => undefined });
  // The attacker connects to sockets without the library, so it has to know their paths: then all lie in a folder of this run.
  if (transport === 'shm' && !attack) return withoutFolder(`shm:eipc-demo-${process.pid}`);
  const isNetwork = transport === 'tcp' || transport === 'tls';
  if (isNetwork && !attack) return withoutFolder(`${transport}://${ANY_PORT}`);
  try {
    const folder = await mkdtemp(join(tmpdir(), 'eipc-demo-')); // 0700
    const remove = () => rm(folder, { recursive: true, force: true });
    const address = isNetwork ? `${transport}://${ANY_PORT}` : `${transport}:${join(folder, 'eai.sock')}`;
    return { address, folder, remove };
  } catch (error) {
    throw new CliError(EXIT.environment, `cannot make a folder for the socket: ${errorText(error)}`, { cause: error });
  }
}
