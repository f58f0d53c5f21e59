/**
 * The demo's neural interface (ENI): reads the signal, streams features, and sends the intents it decodes.
 *
 * Every window becomes a `features` message (P2 telemetry; `send` waits when the peer is slower, so nothing is dropped).
 * An intent (P0) is sent when it changes and confirmed every {@link CONFIRM_WINDOWS} windows, by `request`: the next
 * window waits for the acknowledgement, so latencies are those of single requests and not of a queue in this process.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { connect, type ClientEndpoint, EipcError, TimeoutError } from '../../index.js';
import { SpectrumAnalyser } from './bands.js';
import { type Decision, IntentDecoder } from './decoder.js';
import { EniTally } from './eni-tally.js';
import { packFeatures } from './features.js';
import { DEMO_CAPABILITY, DEMO_SERVICE, type EniJob } from './job.js';
import type { EniReport } from './reports.js';
import { openSignal, type Signal } from './signal.js';
import { hops, SlidingWindow } from './windows.js';

/** One second at 256 Hz; gives more than 100 latencies on a recording of 4 minutes at 125 Hz. */
const CONFIRM_WINDOWS = 8;

/** For an acknowledgement: far above any latency, since a time-out counts as a lost message. */
const ACK_TIMEOUT = 2_000;
const PROGRESS_INTERVAL = 200;

/**
 * Runs until the signal has ended and everything was delivered, or `stop` aborts.
 *
 * @throws {InputError} if the signal cannot be read; what `connect` throws; `PeerDownError` if EAI dies
 */
export async function runEni(options: {
  job: EniJob;
  key: Uint8Array;
  report: (report: EniReport) => void;
  stop: AbortSignal;
}): Promise<void> {
  const { job, key, report, stop } = options;
  const signal = await openSignal(job.signal);
  const tls = job.fingerprint === null ? {} : { tls: { fingerprints: [job.fingerprint] } };
  const eai = await connect(job.address, { serviceId: DEMO_SERVICE, key, signal: stop, ...tls });
  const { transport, suite, serviceId } = eai.peer;
  report({ kind: 'connected', transport, suite, serverId: serviceId });
  const tally = new EniTally(signal.rateHz, signal.unit);
  try {
    await streamSignal({ signal, eai, tally, speed: job.speed, stop, report });
    await eai.flush();
    await eai.close({ drain: true });
    report({ kind: 'done', totals: tally.totals() });
  } catch (error) {
    report({ kind: 'progress', totals: tally.totals() }); // what had been sent when it broke
    throw error;
  } finally {
    await eai.close();
  }
}

async function streamSignal(run: {
  signal: Signal;
  eai: ClientEndpoint;
  tally: EniTally;
  speed: EniJob['speed'];
  stop: AbortSignal;
  report: (report: EniReport) => void;
}): Promise<void> {
  const { signal, eai, tally } = run;
  const analyser = new SpectrumAnalyser(signal.rateHz);
  const decoder = new IntentDecoder();
  const sliding = new SlidingWindow();
  const pacer = run.speed === 'real' ? new Pacer(signal.rateHz, AbortSignal.any([run.stop, endOf(eai)])) : null;
  let number = 0;
  let nextProgress = performance.now();
  for await (const hop of hops(signal.blocks, signal.limit)) {
    await pacer?.until(hop.length);
    if (run.stop.aborted) return;
    tally.countSamples(hop.length);
    const window = sliding.push(hop);
    if (window === null) continue;
    const bands = analyser.bandPowers(window);
    const decision = decoder.push(bands.alphaRatio);
    await eai.send({ type: 'features', priority: 2, payload: packFeatures(number, bands, signal.rateHz) });
    tally.countFeatures();
    tally.countWindow(bands, decision);
    if (decision.changed || number % CONFIRM_WINDOWS === 0) await sendIntent(eai, decision, number, tally);
    number++;
    if (performance.now() >= nextProgress) {
      nextProgress = performance.now() + PROGRESS_INTERVAL;
      run.report({ kind: 'progress', totals: tally.totals() });
    }
  }
}

async function sendIntent(eai: ClientEndpoint, decision: Decision, window: number, tally: EniTally): Promise<void> {
  const { intent, confidence } = decision;
  tally.countIntent(decision);
  const start = process.hrtime.bigint();
  try {
    const payload = { intent, confidence, window };
    await eai.request({ type: 'intent', priority: 0, capability: DEMO_CAPABILITY, payload }, { timeout: ACK_TIMEOUT });
    tally.countAck(Number(process.hrtime.bigint() - start) / 1_000);
  } catch (error) {
    // Refused by the peer, or never answered: counted, and the stream goes on. Anything else ends the session.
    if (error instanceof EipcError && error.remote) tally.countRefusal(error.code);
    else if (!(error instanceof TimeoutError)) throw error;
  }
}

/** Aborts when the session ends, so that a pacing wait does not outlive it; the next `send` then says why. */
function endOf(eai: ClientEndpoint): AbortSignal {
  const ended = new AbortController();
  void eai.closed.then(() => ended.abort());
  return ended.signal;
}

/** Delays samples until they would have been taken. Deadlines count from the start, so lateness does not add up. */
class Pacer {
  readonly #rateHz: number;
  readonly #stop: AbortSignal;
  readonly #start = performance.now();
  #samples = 0;

  constructor(rateHz: number, stop: AbortSignal) {
    this.#rateHz = rateHz;
    this.#stop = stop;
  }

  async until(samples: number): Promise<void> {
    this.#samples += samples;
    const wait = this.#start + (this.#samples / this.#rateHz) * 1_000 - performance.now();
    // A wait that is cut short is no error here: the caller looks at the reason itself.
    if (wait > 0) await sleep(wait, undefined, { signal: this.#stop }).catch(() => undefined);
  }
}
