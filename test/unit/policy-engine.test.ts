/** `PolicyEngine`: its rules, its file, and what a change of either does. */
import { chmodSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { createMessage, PolicyEngine, PolicyError } from '../../src/index.js';
import type { PolicyRule } from '../../src/index.js';
import { Notebook } from '../helpers/notebook.js';
import { ask, failure, key, PolicyScene } from '../helpers/policy-scene.js';

const NOBODY: readonly string[] = [];
const SAFE = 'version: 1\nrules:\n  - { action: ui.*, class: safe }\n';
const CONTROLLED = 'version: 1\nrules:\n  - { action: ui.*, class: controlled, capability: ui:control }\n';

describe('rules of a program', () => {
  it('are added, listed and removed; without any everything is denied', () => {
    const engine = new PolicyEngine();
    expect(engine.evaluate('ui.click', ['ui:control'])).toEqual({
      action: 'ui.click',
      verdict: 'deny',
      reason: 'no rule allows it',
    });
    engine.addRule({ action: 'ui.*', class: 'safe', description: 'moves the cursor' });
    const [rule] = engine.listRules();
    expect(rule).toEqual({ action: 'ui.*', class: 'safe', verdict: 'allow', description: 'moves the cursor' });
    expect(engine.evaluate('ui.click', NOBODY)).toEqual({
      action: 'ui.click',
      verdict: 'allow',
      class: 'safe',
      rule,
      reason: "safe, by the rule 'ui.*'",
    });
    expect(engine.removeRule('ui.click')).toBe(false);
    expect(engine.removeRule('ui.*')).toBe(true);
    expect(engine.evaluate('ui.click', NOBODY).verdict).toBe('deny');
    expect(Object.isFrozen(engine.listRules())).toBe(true);
  });

  it('that say nothing or too much are refused, with what would be right', () => {
    const engine = new PolicyEngine({ aliases: { go: 'motor.move' } }).addRule({ action: 'a', class: 'safe' });
    const add = (rule: object) => () => engine.addRule(rule as PolicyRule);
    for (const action of [
      '',
      'ui*',
      '*.ui',
      'ui.**',
      'ui..x',
      'ui.x.',
      'ä',
      'ui x',
      '.',
      'x'.repeat(129),
      7,
      undefined,
    ])
      expect(add({ action, class: 'safe' }), String(action)).toThrow(
        /^action is .*it must be a name such as motor\.move/,
      );
    expect(add({ action: 'b', class: 'save' })).toThrow(
      "class is 'save'; it must be one of safe, controlled, restricted",
    );
    expect(add({ action: 'b' })).toThrow(/^class is undefined/);
    expect(add({ action: 'b', class: 'safe', verdict: 'maybe' })).toThrow(/one of allow, deny, confirm/);
    expect(add({ action: 'b', class: 'restricted', verdict: 'allow' })).toThrow(/say class controlled/);
    expect(add({ action: 'b', class: 'safe', capability: '' })).toThrow(/^capability is ''/);
    expect(add({ action: 'b', class: 'safe', description: 'x\n' })).toThrow(/^description is 'x\\n'/);
    expect(add({ action: 'b', class: 'safe', peers: [] })).toThrow(TypeError);
    expect(add({ action: 'a', class: 'safe' })).toThrow("'a' has a rule already; remove it first");
    expect(add({ action: 'go', class: 'safe' })).toThrow(/is an alias of 'motor\.move'/);
    expect(() => new PolicyEngine({ aliases: { a: 'b', b: 'c' } })).toThrow(/which is an alias itself/);
    expect(() => new PolicyEngine({ aliases: { a: 'b.*' } })).toThrow(/must stand for the name of an action/);
    expect(() => new PolicyEngine({ defaultDeny: 0 as never })).toThrow(TypeError);
    expect(() => new PolicyEngine({ audit: {} as never })).toThrow(TypeError);
  });

  it('of the original come where there are no own ones', () => {
    const engine = new PolicyEngine({ aliases: { 'system.update': 'own.update' } })
      .addRule({ action: 'motor:move', class: 'restricted' })
      .loadSafeDefaults();
    expect(engine.listRules()).toHaveLength(17);
    expect(engine.evaluate('motor:move', NOBODY).verdict).toBe('confirm');
    expect(engine.evaluate('system.reboot', ['system:restricted'])).toMatchObject({
      action: 'system:reboot',
      verdict: 'confirm',
    });
    expect(engine.evaluate('system.update', ['system:restricted']).action).toBe('own.update');
  });

  it('are asked for messages by the action that their payload names', () => {
    const engine = new PolicyEngine().addRule({ action: 'ui.click', class: 'safe', capability: 'ui:control' });
    const granted = ['ui:control', 'ai:chat'];
    const intent = (payload: unknown, capability = ''): string =>
      engine.evaluateMessage(createMessage('intent', 'eni.min', payload, { capability }), granted).verdict;
    expect(intent({ intent: 'ui.click' })).toBe('allow');
    expect(intent({ intent: 'ui.click' }, 'ai:chat')).toBe('deny');
    expect(intent({ intent: 'ui.click' }, 'never:granted')).toBe('deny');
    expect(intent({ intent: 'UI.click' })).toBe('deny');
    expect(intent({ tool: 'ui.click' })).toBe('deny');
    expect(intent({ intent: ['ui.click'] })).toBe('deny');
    expect(intent('ui.click')).toBe('deny');
    expect(intent(null)).toBe('deny');
    const tool = createMessage('tool_request', 'eni.min', { tool: 'ui.click' });
    expect(engine.evaluateMessage(tool, new Set(granted))).toMatchObject({ action: 'ui.click', verdict: 'allow' });
    expect(engine.evaluateMessage(createMessage('features', 'eni.min', {}), NOBODY).verdict).toBe('allow');
    expect(engine.evaluateMessage(createMessage('chat', 'eni.min', {}), granted)).toMatchObject({
      action: 'ai.chat.send',
      verdict: 'deny',
    });
    expect(() => engine.evaluate(7 as never, NOBODY)).toThrow(TypeError);
  });
});

describe('a policy from a file', () => {
  const scene = new PolicyScene();
  let folder: string;
  let path: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'eipc-policy-file-'));
    path = join(folder, 'policy.yaml');
    writeFileSync(path, SAFE, { mode: 0o644 });
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  it('is read again when it is asked to, for messages from then on', async () => {
    const notebook = new Notebook();
    const policy = await PolicyEngine.load(path, { audit: notebook });
    const services = { 'eni.min': { key: key, capabilities: [] } };
    const server = await scene.serve(notebook, { policy, services });
    const client = await scene.dial(server);
    expect(await ask(client, 'ui.click')).toBeUndefined();
    writeFileSync(path, CONTROLLED);
    expect(await ask(client, 'ui.click')).toBeUndefined();
    await policy.reload();
    expect(await ask(client, 'ui.click')).toMatchObject({ code: 'EIPC_CAPABILITY' });
    expect(notebook.of('policy.reload').map(({ decision, result }) => [decision, result])).toEqual([
      ['note', `1 rules, 0 aliases from ${path}`],
      ['note', `1 rules, 0 aliases from ${path}`],
    ]);
    expect(notebook.of('policy.reload')[0]?.frame).toMatch(/^[0-9a-f]{64}$/);
  });

  it('with a fault keeps the one before, and says so', async () => {
    const notebook = new Notebook();
    const policy = await PolicyEngine.load(path, { audit: notebook });
    writeFileSync(path, `${SAFE}  - { action: motor.*, class: save }\n`);
    const fault = await failure(policy.reload());
    expect(fault).toBeInstanceOf(PolicyError);
    expect(fault).toMatchObject({
      code: 'EIPC_POLICY_FILE',
      message: `${path}:4:31: class is 'save'; it must be one of safe, controlled, restricted`,
    });
    rmSync(path);
    expect(await failure(policy.reload())).toMatchObject({
      code: 'EIPC_POLICY_FILE',
      message: expect.stringContaining('ENOENT') as unknown,
    });
    expect(policy.evaluate('ui.click', NOBODY).verdict).toBe('allow');
    expect(notebook.of('policy.reload').map(({ decision }) => decision)).toEqual(['note', 'deny', 'deny']);
    expect(notebook.of('policy.reload')[1]?.result).toContain('policy.yaml:4:31: class is');
  });

  it('that cannot be recorded is not taken', async () => {
    const notebook = new Notebook();
    const policy = await PolicyEngine.load(path, { audit: notebook });
    writeFileSync(path, CONTROLLED);
    notebook.failure = new Error('the disk is full');
    expect(await failure(policy.reload())).toMatchObject({ code: 'EIPC_AUDIT' });
    expect(policy.evaluate('ui.click', NOBODY).verdict).toBe('allow');
    writeFileSync(path, 'no policy');
    expect(await failure(policy.reload())).toMatchObject({ code: 'EIPC_POLICY_FILE' });
    expect(await failure(PolicyEngine.load(path, { audit: notebook }))).toMatchObject({ code: 'EIPC_POLICY_FILE' });
  });

  it('that others may write is refused: who writes it decides what is done', async () => {
    // The attacker is another user of this machine.
    for (const mode of [0o664, 0o646, 0o666]) {
      chmodSync(path, mode);
      expect(await failure(PolicyEngine.load(path)), mode.toString(8)).toMatchObject({
        code: 'EIPC_POLICY_FILE',
        message: expect.stringContaining('others may write to it; run `chmod go-w') as unknown,
      });
    }
    chmodSync(path, 0o400);
    await PolicyEngine.load(path);
    const link = join(folder, 'link.yaml');
    symlinkSync(path, link);
    expect((await PolicyEngine.load(link)).path).toBe(link);
    expect(await failure(PolicyEngine.load(folder))).toMatchObject({
      message: expect.stringContaining('not a regular file') as unknown,
    });
    writeFileSync(join(folder, 'large'), `# ${'x'.repeat(1_048_576)}`);
    expect(await failure(PolicyEngine.load(join(folder, 'large')))).toMatchObject({
      message: expect.stringContaining('at most 1048576 are read') as unknown,
    });
    writeFileSync(join(folder, 'latin1'), Buffer.from([0x76, 0xff]));
    expect(await failure(PolicyEngine.load(join(folder, 'latin1')))).toMatchObject({
      message: expect.stringContaining('not UTF-8') as unknown,
    });
  });

  it('is the only one that can be read again', async () => {
    await expect(new PolicyEngine().reload()).rejects.toThrow(TypeError);
    await expect(PolicyEngine.load('')).rejects.toThrow(TypeError);
    await expect(PolicyEngine.load(path, { defaultDeny: false } as never)).rejects.toThrow(TypeError);
  });
});
