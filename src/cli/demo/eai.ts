/**
 * The demo's AI layer (EAI): listens, checks the features it receives, and lets authorised intents move its actuator.
 *
 * The right to command comes with the key that the ENI process proved, never from a message; what the handlers do is in
 * `control-desk.ts`. It ends with the first session, because the demo has one; where the demo is attacked, it stays for the
 * attacker until it is told to end.
 */
import { developmentCertificate, listen, Router, type Server } from '../../index.js';
import { listenForDecoys } from './attack/decoy-desk.js';
import type { VictimCount } from './attack/tally.js';
import { ControlDesk } from './control-desk.js';
import { DEMO_CAPABILITY, DEMO_SERVICE, type EaiJob } from './job.js';
import type { EaiReport } from './reports.js';

const PROGRESS_INTERVAL = 200;

/**
 * Runs until the ENI process's session has ended, or `stop` aborts.
 *
 * @throws what `listen` throws
 */
export async function runEai(options: {
  job: EaiJob;
  key: Uint8Array;
  decoyKey: Uint8Array | null;
  report: (report: EaiReport) => void;
  stop: AbortSignal;
}): Promise<void> {
  const { job, key, decoyKey, report, stop } = options;
  const desk = new ControlDesk();
  const router = new Router();
  router.handle('features', desk.handleFeatures);
  router.handle('intent', { capability: DEMO_CAPABILITY }, desk.handleIntent);
  const services = { [DEMO_SERVICE]: { key, capabilities: [DEMO_CAPABILITY] } };
  const own = job.address.startsWith('tls:') ? developmentCertificate() : null;
  const tls = own === null ? {} : { tls: { cert: own.cert, key: own.key } };
  const server = await listen(job.address, { router, services, signal: stop, ...tls });
  const progress = setInterval(() => report({ kind: 'progress', totals: desk.totals() }), PROGRESS_INTERVAL);
  const stopActuator = (reason: string) => {
    if (desk.actuator.stop(reason)) report({ kind: 'actuator-stopped', reason });
  };
  let decoys: readonly Server[] = [];
  try {
    if (job.decoys !== undefined && decoyKey !== null) {
      const reportVictim = (count: VictimCount) => report({ kind: 'victim', ...count });
      decoys = await listenForDecoys({ addresses: job.decoys, key: decoyKey, report: reportVictim, stop });
    }
    // Asked for before anyone is told the address, so that no session can begin unseen.
    const firstSession = server[Symbol.asyncIterator]().next();
    const decoyAddresses = decoys.flatMap((decoy) => decoy.addresses);
    const [address = job.address] = server.addresses;
    report({ kind: 'listening', address, decoys: decoyAddresses, fingerprint: own?.fingerprint ?? null });
    const session = await firstSession; // ends with the server, which closes when `stop` aborts
    if (session.done === true) return;
    const endpoint = session.value;
    report({ kind: 'session', serviceId: endpoint.peer.serviceId, pid: endpoint.peer.pid ?? null });
    // The fail-safe: `closed` resolves after everything that arrived was handled, and however the session ended.
    const { code } = await endpoint.closed;
    stopActuator(code);
    if (decoys.length > 0) await aborted(stop);
  } finally {
    stopActuator('the EAI process ends');
    clearInterval(progress);
    await Promise.all([server, ...decoys].map((listening) => listening.close()));
    report({ kind: 'done', totals: desk.totals() });
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}
