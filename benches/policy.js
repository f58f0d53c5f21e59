/**
 * What a policy costs: one judgement by itself, and a request over shm with a safe action, without a policy and with one.
 *
 * `node benches/policy.js [--seconds N]`, after `make build`. The audit keeps nothing, so that the policy is what is measured (what an audit
 * costs: `node benches/audit.js`). Servers with and without a policy take turns; client and server are one process, all of whose processor time
 * is counted. What is denied is checked to be denied.
 */
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { cpus, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { connect, createMessage, Key, listen, PolicyEngine } from '../dist/index.js';
import { compareRequestCosts } from './harness/request-cost.js';

const { values } = parseArgs({ options: { seconds: { type: 'string', default: '2' } } });
const seconds = Number(values.seconds);
const folder = mkdtempSync(join(tmpdir(), 'eipc-policy-bench-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
const key = Key.fromBytes(randomBytes(32));
const audit = { log: () => Promise.resolve() };
const granted = new Set(['ui:control', 'device:write']);
/** A hundred rules beside the one that counts. */
function policyOf() {
  const policy = new PolicyEngine();
  for (let number = 0; number < 50; number += 1)
    policy.addRule({ action: `exact.${number}`, class: 'safe' }).addRule({ action: `all.${number}.*`, class: 'safe' });
  return policy
    .addRule({ action: 'ui.click', class: 'safe', capability: 'ui:control' })
    .addRule({ action: 'mouse.*', class: 'safe', capability: 'ui:control' });
}

process.stdout.write(
  `${cpus()[0]?.model}, ${cpus().length} cores, load average ${loadavg()[0]?.toFixed(1)}, Node ${process.version}\n`,
);

for (const [name, intent, verdict] of [
  ['an action with a rule of its own', 'ui.click', 'allow'],
  ['an action under a beginning, behind 51', 'mouse.click', 'allow'],
  ['an action without a rule', 'door.open', 'deny'],
]) {
  const policy = policyOf();
  const message = createMessage('intent', 'eni.min', { intent });
  if (policy.evaluateMessage(message, granted).verdict !== verdict) throw new Error(`${intent}: not ${verdict}`);
  const times = [];
  const before = process.memoryUsage().heapUsed;
  for (let round = 0; round < 5; round += 1) {
    const start = performance.now();
    let count = 0;
    while (performance.now() < start + (seconds * 1_000) / 5) {
      for (let each = 0; each < 1_000; each += 1) policy.judgeMessage(message, granted);
      count += 1_000;
    }
    times.push(((performance.now() - start) * 1e6) / count);
  }
  times.sort((a, b) => a - b);
  const grown = ((process.memoryUsage().heapUsed - before) / 1_024).toFixed(0);
  process.stdout.write(`one judgement of ${name}: ${times[2]?.toFixed(0)} ns (heap ${grown} KiB larger after all)\n`);
}

/** @type {{ name: string, client: import('../dist/index.js').ClientEndpoint, server: import('../dist/index.js').Server }[]} */
const sides = [];
for (const [name, policy] of [
  ['without a policy', undefined],
  ['with one', policyOf()],
]) {
  const services = { 'eni.min': { key, capabilities: [...granted] } };
  const options = policy === undefined ? { services, audit } : { services, audit, policy };
  const server = await listen(`shm:${join(folder, name.replaceAll(' ', '-'))}`, options);
  server.router.handle('intent', ({ payload: { intent } }) => ({ intent }));
  sides.push({ name, server, client: await connect(server.addresses[0], { serviceId: 'eni.min', key }) });
}
const denied = await sides[1].client
  .request({ type: 'intent', payload: { intent: 'door.open' } })
  .catch((error) => error);
if (denied.code !== 'EIPC_POLICY') throw new Error('what no rule allows was done');
const message = { type: 'intent', priority: 0, payload: { intent: 'ui.click', by: 3 } };
await compareRequestCosts(sides, message, seconds, 'audited, ');
