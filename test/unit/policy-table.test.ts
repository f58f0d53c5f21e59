/**
 * The table of peer × action × claim × rule: each row is asked of the engine, and sent by that peer to a server with that policy. Both have
 * to say what an independent oracle says.
 */
import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';

import { connect, Key, listen, PolicyEngine } from '../../src/index.js';
import type { ClientEndpoint, EipcError } from '../../src/index.js';
import { Notebook } from '../helpers/notebook.js';
import { failure, PolicyScene } from '../helpers/policy-scene.js';
import { oracle } from '../helpers/policy-oracle.js';
import type { OraclePolicy, OracleVerdict } from '../helpers/policy-oracle.js';

/** The services of the original's demo, and one that was granted nothing. */
const PEERS: Readonly<Record<string, readonly string[]>> = {
  'nia.min': ['ui:control', 'device:read'],
  'nia.framework': ['ui:control', 'device:read', 'device:write'],
  'ail.min.agent': ['ui:control'],
  'ail.framework': ['ui:control', 'device:read', 'device:write', 'system:restricted'],
  'ebot.client': ['ai:chat'],
  'eni.none': [],
};

const ACTIONS = [
  'ui.cursor.move',
  'ui.cursor.hide',
  'ui',
  'ui.',
  'move_left',
  'device:write',
  'motor:move',
  'motor.move',
  'motor.burn',
  'system.reboot',
  'system:reboot',
  'system.reboot ',
  'unheard.of',
  '*',
  '',
];
const CLAIMS = ['', 'ui:control', 'device:write', 'system:restricted', 'never:granted'];

const TIERS: OraclePolicy = {
  aliases: { move_left: 'ui.cursor.move', 'system:reboot': 'system.reboot' },
  defaultDeny: true,
  rules: [
    { action: 'ui.*', class: 'safe', capability: 'ui:control' },
    { action: 'ui.cursor.*', class: 'safe' },
    { action: 'ui.cursor.hide', class: 'controlled', verdict: 'confirm', capability: 'ui:control' },
    { action: 'motor.*', class: 'controlled', capability: 'device:write' },
    { action: 'motor.burn', class: 'restricted', verdict: 'deny', capability: 'device:write' },
    { action: 'system.*', class: 'restricted', capability: 'system:restricted' },
  ],
};
const CATCH_ALL: OraclePolicy = {
  aliases: { motor: 'motor.move' },
  defaultDeny: true,
  rules: [
    { action: '*', class: 'controlled', capability: 'device:write' },
    { action: 'device:*', class: 'safe' },
    { action: 'system.reboot', class: 'restricted' },
  ],
};
const OPEN: OraclePolicy = {
  aliases: {},
  defaultDeny: false,
  rules: [{ action: 'system.*', class: 'controlled', verdict: 'deny' }],
};
/** The facts of the original (its three tiers), and what its dotted names mean. */
const DEFAULTS: OraclePolicy = {
  aliases: {
    'device.sensor.read': 'sensor:read',
    'device.status': 'status:read',
    'device.actuator.write': 'actuator:write',
    'system.reboot': 'system:reboot',
    'system.update': 'firmware:update',
  },
  defaultDeny: true,
  rules: [
    ...['ui.cursor.move', 'ui.scroll', 'ui.select', 'ui.focus', 'sensor:read', 'device:read', 'status:read'].map(
      (action) => ({ action, class: 'safe' as const }),
    ),
    ...['device:write', 'actuator:write', 'motor:move', 'iot:publish', 'config:write'].map((action) => ({
      action,
      class: 'controlled' as const,
      capability: 'device:write',
    })),
    ...['system:reboot', 'system:shutdown', 'firmware:update', 'security:modify', 'policy:modify'].map((action) => ({
      action,
      class: 'restricted' as const,
      capability: 'system:restricted',
    })),
  ],
};

function engineOf({ rules, aliases, defaultDeny }: OraclePolicy): PolicyEngine {
  const engine = new PolicyEngine({ aliases, defaultDeny });
  for (const rule of rules) engine.addRule(rule);
  return engine;
}

const POLICIES: readonly (readonly [string, OraclePolicy, PolicyEngine])[] = [
  ['tiers and beginnings', TIERS, engineOf(TIERS)],
  ['a rule for everything', CATCH_ALL, engineOf(CATCH_ALL)],
  ['no default denial', OPEN, engineOf(OPEN)],
  ["the original's defaults", DEFAULTS, new PolicyEngine().loadSafeDefaults()],
];

interface Row {
  readonly peer: string;
  readonly action: string;
  readonly claim: string;
}

const ROWS: readonly Row[] = Object.keys(PEERS).flatMap((peer) =>
  ACTIONS.flatMap((action) => CLAIMS.map((claim) => ({ peer, action, claim }))),
);

describe.each(POLICIES)('the table of rights under %s', (_name, policy, engine) => {
  const scene = new PolicyScene();
  const expected = ({ peer, action, claim }: Row): OracleVerdict => oracle(policy, PEERS[peer] ?? [], action, claim);
  const shown = (row: Row, verdict: string): string => `${row.peer} ${row.action} as '${row.claim}': ${verdict}`;

  it(`is what the oracle says, in ${ROWS.length} rows, when the engine is asked`, () => {
    const said = ROWS.map((row) => {
      const { verdict, reason } = engine.evaluate(row.action, PEERS[row.peer] ?? [], row.claim);
      return shown(row, verdict === 'deny' ? (/capability/.test(reason) ? 'no right' : 'no') : verdict);
    });
    expect(said).toEqual(ROWS.map((row) => shown(row, expected(row))));
    // A table that says the same everywhere would prove nothing.
    expect(new Set(ROWS.map(expected)).size).toBeGreaterThan(1);
  });

  it(`is what the oracle says, in ${ROWS.length} rows, when peers send it`, async () => {
    const keys = Object.keys(PEERS).map((id) => [id, Key.fromBytes(randomBytes(32))] as const);
    const server = scene.closeLater(
      await listen(`memory:table-${randomBytes(4).toString('hex')}`, {
        services: Object.fromEntries(keys.map(([id, key]) => [id, { key, capabilities: PEERS[id] ?? [] }])),
        policy: engine,
        audit: new Notebook(),
      }),
    );
    let done = 0;
    server.router?.handle('intent', () => {
      done += 1;
      return {};
    });
    const clients = new Map<string, ClientEndpoint>();
    for (const [serviceId, key] of keys)
      clients.set(serviceId, scene.closeLater(await connect(server.addresses[0] ?? '', { serviceId, key })));
    const ask = async (row: Row): Promise<OracleVerdict> => {
      const before = done;
      let wasAsked = false;
      const denied = async (): Promise<void> => {
        wasAsked = true;
        for (const request of server.approvals?.list() ?? []) await server.approvals?.deny(request);
      };
      const error = (await failure(
        clients
          .get(row.peer)
          ?.request(
            { type: 'intent', capability: row.claim, payload: { intent: row.action } },
            { timeout: 20_000, onPending: () => void denied() },
          ) ?? Promise.reject(new Error('no client')),
      )) as EipcError | undefined;
      if (error === undefined) return done === before + 1 ? 'allow' : 'no';
      expect(done, 'what was refused was done').toBe(before);
      if (wasAsked) return error.code === 'EIPC_NOT_APPROVED' ? 'confirm' : 'no';
      expect(['EIPC_CAPABILITY', 'EIPC_POLICY']).toContain(error.code);
      return error.code === 'EIPC_CAPABILITY' ? 'no right' : 'no';
    };
    const said: string[] = [];
    for (const row of ROWS) said.push(shown(row, await ask(row)));
    expect(said).toEqual(ROWS.map((row) => shown(row, expected(row))));
  });
});
