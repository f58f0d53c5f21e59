/**
 * The attacked side of a demo run: the attacker in this process, the decoy in one of its own, and the reports of both ends
 * of the decoy's sessions brought together.
 */
import { createKey } from '../../new-key.js';
import { Attacker } from './attack/attacker.js';
import type { AttackTotals } from './attack/tally.js';
import type { DecoyReport, EaiReport } from './reports.js';
import { RoleProcess } from './role-process.js';

export class Siege {
  /** The decoy's own: the attacker must not be able to learn anything of the honest stream's. */
  readonly key = createKey();
  readonly #attacker: Attacker;
  #decoy: RoleProcess<DecoyReport> | null = null;
  #bound: readonly string[] = [];

  /** @param folder of this run alone, for sockets */
  constructor(folder: string) {
    this.#attacker = new Attacker(folder);
  }

  /** The addresses EAI is to bind for the decoy. */
  get decoyAddresses(): readonly string[] {
    return this.#attacker.decoyAddresses;
  }

  /** The decoy process; null before it was started. */
  get decoy(): RoleProcess<DecoyReport> | null {
    return this.#decoy;
  }

  /** Resolves when every attack was tried at least once. */
  get round(): Promise<void> {
    return this.#attacker.round;
  }

  /** Takes a report of the EAI process. */
  takeEai(report: EaiReport): void {
    if (report.kind === 'listening') this.#bound = report.decoys;
    if (report.kind === 'victim') this.#attacker.judge('c2s', report);
  }

  /**
   * Begins, once EAI listens.
   *
   * @param honest the address of the honest stream
   * @returns the decoy's process id
   */
  async begin(honest: string): Promise<number | undefined> {
    const addresses = await this.#attacker.start(honest, this.#bound);
    const onReport = (report: DecoyReport) => {
      if (report.kind === 'victim') this.#attacker.judge('s2c', report);
    };
    const job = { role: 'decoy', addresses } as const;
    this.#decoy = new RoleProcess<DecoyReport>({ name: 'decoy', job, keys: [this.key], onReport });
    return this.#decoy.pid;
  }

  /** Stops attacking, once the decoy has ended. Reports of EAI may still come. Idempotent. */
  async end(): Promise<void> {
    await this.#attacker.stop();
    this.key.fill(0);
  }

  /** Ends the decoy at once. */
  kill(): void {
    this.#decoy?.kill();
  }

  totals(): AttackTotals {
    return this.#attacker.totals();
  }
}
