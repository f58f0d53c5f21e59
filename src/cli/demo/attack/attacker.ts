/**
 * The demo's attacker: stands in the path of the decoy's sessions and connects to every socket of the EAI process, many
 * times a second, while the honest stream runs. It holds no key and does not load the library.
 *
 * What it tries is in `path-attacks.ts` and `probes.ts`; what came of it is in `tally.ts`.
 */
import type { NetConnectOpts } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { DEMO_SERVICE, DECOY_SERVICE } from '../job.js';
import { type Direction, sessionIdOf, typeOf } from './frames.js';
import { pathAttack, type Recording, roundLength, UNTOUCHED } from './path-attacks.js';
import { decoyAddress, type Place, PLACES, proxyAddress, proxyListen, targetOf } from './places.js';
import { isAnswered, probe, PROBES } from './probes.js';
import { Proxy, type Script } from './proxy.js';
import { type AttackRecord, AttackTally, type AttackTotals, type VictimCount } from './tally.js';

/** Between two probes of one socket; bounds what the attack takes from the machine. */
const PROBE_INTERVAL = 10;
/** One session in so many is left alone, and recorded. */
const UNTOUCHED_SHARE = 6;

/**
 * A socket of the demo that is connected to. Recordings are used where they were made: elsewhere their key is unknown, or
 * (the decoy's other sockets) the hello is new, gets its answer, and comes to nothing without a finish.
 */
interface Victim {
  readonly target: NetConnectOpts;
  /** Whether it speaks TLS, which anybody can. */
  readonly isTls: boolean;
  readonly serviceId: string;
  readonly memory: Memory;
}

/** The frames of the latest untouched session of a place. */
interface Memory {
  recording: Recording;
}

export class Attacker {
  readonly #folder: string;
  readonly #tally = new AttackTally();
  readonly #stop = new AbortController();
  readonly #proxies: Proxy[] = [];
  readonly #loops: Promise<void>[] = [];
  #roundsLeft = 0;
  #endRound: () => void = () => undefined;
  /** Resolves when every attack was tried at least once everywhere. */
  readonly round: Promise<void>;

  constructor(folder: string) {
    this.#folder = folder;
    this.round = new Promise((resolve) => {
      this.#endRound = resolve;
    });
  }

  /** The addresses that the EAI process is to bind for the decoy. */
  get decoyAddresses(): readonly string[] {
    return PLACES.map((place) => decoyAddress(place, this.#folder));
  }

  /**
   * Begins.
   *
   * @param honest the address of the honest stream
   * @param bound the decoy's addresses as they were bound
   * @returns the addresses at which the decoy is to connect
   */
  async start(honest: string, bound: readonly string[]): Promise<readonly string[]> {
    const nothing: Memory = { recording: { c2s: [], s2c: [] } };
    const isTls = honest.startsWith('tls:');
    const victims: Victim[] = [{ target: targetOf(honest), isTls, serviceId: DEMO_SERVICE, memory: nothing }];
    const addresses: string[] = [];
    this.#roundsLeft = PLACES.length;
    for (const [i, place] of PLACES.entries()) {
      const memory: Memory = { recording: { c2s: [], s2c: [] } };
      const target = targetOf(bound[i] ?? '');
      const proxy = await Proxy.open({
        listen: proxyListen(place, this.#folder),
        target,
        script: this.#scripts(place, memory),
      });
      this.#proxies.push(proxy);
      victims.push({ target, isTls: false, serviceId: DECOY_SERVICE, memory });
      addresses.push(proxyAddress(place, this.#folder, proxy.port));
    }
    this.#roundsLeft += victims.length;
    for (const victim of victims) this.#loops.push(this.#probeOn(victim));
    return addresses;
  }

  /** Takes what an end of a decoy session counted: `c2s` from the server, `s2c` from the client. */
  judge(direction: Direction, count: VictimCount): void {
    this.#tally.judge(direction, count);
  }

  /** Stops attacking. What the ends report later still counts. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await Promise.all([...this.#loops, ...this.#proxies.map((proxy) => proxy.close())]);
  }

  totals(): AttackTotals {
    return this.#tally.totals();
  }

  /** Makes the script of each connection of a place, in the order of the round. */
  #scripts(place: Place, memory: Memory): () => Script {
    const rounds = roundLength(place.carriesMessages);
    let connections = 0;
    let attacks = 0;
    return () => {
      if (connections++ % UNTOUCHED_SHARE === 0) return this.#untouched(place, memory);
      const script = this.#attacked(place, memory, attacks++);
      if (attacks === rounds) this.#roundEnded();
      return script;
    };
  }

  #untouched(place: Place, memory: Memory): Script {
    const record: AttackRecord = { kind: 'untouched', allowed: UNTOUCHED.allowed };
    const recording: Record<Direction, Buffer[]> = { c2s: [], s2c: [] };
    memory.recording = recording;
    // Where no session can come about, leaving it alone proves nothing.
    if (place.carriesMessages) this.#tally.add(record);
    return (frame, tap) => {
      recording[frame.direction].push(frame.bytes);
      this.#bind(frame.bytes, record);
      UNTOUCHED.script(frame, tap);
    };
  }

  #attacked(place: Place, memory: Memory, number: number): Script {
    const { kind, target, script, allowed, answers } = pathAttack(number, place.carriesMessages, memory.recording);
    const record: AttackRecord = { kind, allowed };
    const said: Record<Direction, number> = { c2s: 0, s2c: 0 };
    return (frame, tap) => {
      this.#bind(frame.bytes, record);
      if (typeOf(frame.bytes) !== 'E' && ++said[frame.direction] > answers[frame.direction]) this.#tally.accept(record);
      // Counted when it is made: a session may end before it comes to that.
      if (frame.direction === target.direction && frame.index === target.index) this.#tally.add(record);
      script(frame, tap);
    };
  }

  #bind(frame: Buffer, record: AttackRecord): void {
    const sessionId = sessionIdOf(frame);
    if (sessionId !== null) this.#tally.bind(sessionId, record);
  }

  async #probeOn({ target, isTls, serviceId, memory }: Victim): Promise<void> {
    const { signal } = this.#stop;
    for (let number = 0; !signal.aborted; number++) {
      const { kind, bytes } = probe(number, memory.recording, serviceId);
      const isAccepted = await isAnswered(target, isTls, bytes);
      const record: AttackRecord = { kind, allowed: { c2s: 0, s2c: 0 } };
      this.#tally.add(record);
      if (isAccepted) this.#tally.accept(record);
      if (number === PROBES - 1) this.#roundEnded();
      await sleep(PROBE_INTERVAL, undefined, { signal }).catch(() => undefined);
    }
  }

  #roundEnded(): void {
    this.#roundsLeft--;
    if (this.#roundsLeft === 0) this.#endRound();
  }
}
