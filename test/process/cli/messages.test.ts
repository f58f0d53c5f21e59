/** `eipc listen`, `eipc send` and `eipc ping` as processes that talk to each other. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { Program, run } from './program.js';

let cwd = '';
let programs: Program[] = [];

beforeEach(async () => {
  cwd = mkdtempSync(join(tmpdir(), 'eipc-messages-'));
  expect((await run(['keygen'], { cwd })).code).toBe(0);
});
afterEach(async () => {
  for (const program of programs) program.child.kill('SIGKILL');
  await Promise.all(programs.map((program) => program.ended));
  programs = [];
  rmSync(cwd, { recursive: true, force: true });
});

const KEY = ['--key', 'eni.min.key'];

/** Starts a listener and returns its address. */
async function listening(address: string, ...args: string[]): Promise<{ program: Program; address: string }> {
  const program = new Program(['listen', address, ...KEY, ...args], { cwd });
  programs.push(program);
  const [, bound = ''] = await program.until(/listening(?:: |","text":")((?:unix|tcp|shm):[^\s"]+)/);
  return { program, address: bound };
}

function send(address: string, ...args: string[]): ReturnType<typeof run> {
  return run(['send', address, ...KEY, ...args], { cwd });
}

describe.each([
  ['unix', () => `unix:${join(cwd, 's')}`],
  ['shm', () => `shm:${join(cwd, 's')}`],
  ['tcp', () => 'tcp://127.0.0.1:0'],
])('over %s', (_, where) => {
  test('what is sent is printed, answered, and the session ends', async () => {
    const { program, address } = await listening(where(), '--capability', 'ui:control', '--count', '2', '--json');
    const intent = ['--type', 'intent', '--priority', '0', '--capability', 'ui:control', '--request'];
    const asked = await send(address, ...intent, '--payload', '{"intent":"move_left","confidence":0.91}', '--json');
    expect(asked).toMatchObject({ code: 0, stderr: '' });
    expect(JSON.parse(asked.stdout)).toMatchObject({
      type: 'ack',
      priority: 0,
      source: 'eipc',
      payload: { status: 'ok' },
    });
    const told = await send(address, '--type', 'features', '--format', 'float32', '--payload', '0.5 1,-2');
    expect(told).toMatchObject({ code: 0, stdout: '', stderr: '' });
    const { code, stdout } = await program.ended;
    expect(code).toBe(0);
    const lines = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(lines.filter((line) => 'type' in line)).toMatchObject([
      { type: 'intent', priority: 0, source: 'eni.min', capability: 'ui:control', payload: { intent: 'move_left' } },
      { type: 'features', priority: 2, payloadFormat: 'float32', payload: [0.5, 1, -2] },
    ]);
    expect(lines.map((line) => line['event'])).toEqual(expect.arrayContaining(['listening', 'connected', 'ended']));
  });

  test('ping prints percentiles of what was answered', async () => {
    const { address } = await listening(where());
    const { code, stdout } = await run(['ping', address, ...KEY, '--count', '50', '--interval', '0', '--json'], {
      cwd,
    });
    expect(code).toBe(0);
    const report = JSON.parse(stdout) as { us: Record<string, number> };
    expect(report).toMatchObject({ server: 'eipc', suite: 'hmac-sha256', sent: 50, answered: 50 });
    const { min = 0, p50 = 0, p99 = 0, max = 0 } = report.us;
    expect(min).toBeGreaterThan(0);
    expect(p50).toBeGreaterThanOrEqual(min * 0.99); // three figures
    expect(p99).toBeGreaterThanOrEqual(p50);
    expect(max).toBeGreaterThanOrEqual(p99);
    const text = await run(['ping', address, ...KEY, '--count', '2', '--interval', '1'], { cwd });
    expect(text.stdout).toMatch(/^1 {2}[\d.]+ µs\n2 {2}[\d.]+ µs\n\neipc at .*: 2 of 2 answered\nmin .* {2}p50 /);
  });
});

test('a payload comes from a file or from stdin', async () => {
  const { program, address } = await listening(`unix:${join(cwd, 's')}`, '--count', '2');
  writeFileSync(join(cwd, 'prompt.json'), '{"prompt":"from a file"}');
  const asked = await send(address, '--type', 'chat', '--payload', '@prompt.json', '--request');
  expect(asked.stdout).toMatch(/^P1 {2}chat {2}from eipc {2}request c\d+ {2}\{.*"status":"ok"/);
  const piped = new Program(['send', address, ...KEY, '--type', 'audit', '--format', 'bytes', '--payload', '-'], {
    cwd,
  });
  piped.child.stdin.end('a\u0000b');
  expect((await piped.ended).code).toBe(0);
  const { stdout } = await program.ended;
  expect(stdout).toContain('{"prompt":"from a file"}');
  expect(stdout).toContain(`{"base64":"${Buffer.from('a\u0000b').toString('base64')}"}`);
});

// The peer of this test holds a key and sends what a terminal would obey.
test.each([[['--count', '1']], [['--count', '1', '--json']]])(
  'nothing of a peer reaches the terminal as it is, with %j',
  async (options) => {
    const { program, address } = await listening(`unix:${join(cwd, 's')}`, ...options);
    const payload = JSON.stringify('\u001b[2J\u202Eevil\u009b31m');
    await send(address, '--type', 'chat', '--payload', payload);
    const { stdout } = await program.ended;
    if (!options.includes('--json')) expect(stdout).toContain('\\x1b[2J\\u{202e}evil\\x9b31m');
    else expect(stdout).toContain('"payload":"\\u001b[2J\\u202eevil\\u009b31m"');
    expect(stdout).not.toMatch(/[\u001b\u009b\u202e]/u);
  },
);

test.each([
  ['a payload that is no JSON', ['--type', 'chat', '--payload', '{bad'], 2, /"\{bad" is no JSON/],
  ['numbers that are none', ['--type', 'features', '--format', 'float32', '--payload', '1 x'], 2, /"x" is no number/],
  ['a type that a session never carries', ['--type', 'auth'], 2, /auth/],
  ['a priority that does not exist', ['--type', 'chat', '--priority', '4'], 2, /from 0 to 3/],
  ['a payload larger than its lane takes', ['--type', 'chat', '--format', 'bytes', '--payload', '@big'], 2, /65537/],
  ['an address that is none', ['--type', 'chat', '--address'], 2, /address/],
])('%s is wrong usage, and says so', async (_, args, expected, text) => {
  const { address } = await listening(`unix:${join(cwd, 's')}`);
  writeFileSync(join(cwd, 'big'), Buffer.alloc(65_537));
  const { code, stderr } = await send(address, ...args);
  expect(stderr).toMatch(text);
  expect(code).toBe(expected);
});

test('a wrong key is refused, a missing server and a bad key file are the environment', async () => {
  const { address } = await listening(`unix:${join(cwd, 's')}`);
  await run(['keygen', '--out', 'other.key'], { cwd });
  const wrong = await run(['ping', address, '--key', 'other.key'], { cwd });
  expect(wrong).toMatchObject({ code: 1, stdout: '' });
  expect(wrong.stderr).toContain('EIPC_HANDSHAKE_FAILED');
  const nobody = await send(`unix:${join(cwd, 'nobody')}`, '--type', 'chat');
  expect(nobody.code).toBe(3);
  expect(nobody.stderr).toContain('start the server first');
  const keyless = await run(['send', address, '--key', 'missing.key', '--type', 'chat'], { cwd });
  expect(keyless.code).toBe(3);
  const none = await run(['send', address, '--type', 'chat'], { cwd });
  expect(none).toMatchObject({ code: 2 });
  const taken = await run(['listen', address, ...KEY], { cwd });
  expect(taken.code).toBe(3);
  expect(taken.stderr).toContain('EIPC_ADDRESS_IN_USE');
});

// The attacker is a process of a user that the command line does not name.
test.skipIf(process.geteuid === undefined)('who is let in is up to --allow-uid and --allow-gid', async () => {
  const own = [String(process.geteuid?.()), '61001'];
  const path = (name: string): string => `unix:${join(cwd, name, 'socket')}`;
  const open = await listening(path('open'), '--allow-uid', ...own, '--allow-gid', '61001', '--count', '1');
  expect(await send(open.address, '--type', 'chat')).toMatchObject({ code: 0, stderr: '' });
  const closed = await listening(path('closed'), '--allow-uid', '61001');
  const refused = await send(closed.address, '--type', 'chat');
  expect(refused).toMatchObject({ code: 3, stderr: expect.stringContaining('not let this user in') as string });
  await closed.program.until(/refused: a connection of uid \d+, gid \d+, pid \d+ was closed: refusedUsers/);
  const wrong = await run(['listen', path('wrong'), ...KEY, '--allow-gid', 'eni'], { cwd });
  expect(wrong).toMatchObject({ code: 2, stderr: expect.stringContaining('from 0 to 4294967294') as string });
});

test('an answer that does not come in time is a failure', async () => {
  const { address } = await listening(`unix:${join(cwd, 's')}`, '--silent');
  const { code, stderr } = await send(address, '--type', 'chat', '--request', '--timeout', '150');
  expect(code).toBe(1);
  expect(stderr).toContain('EIPC_TIMEOUT');
});

test.each(['SIGINT', 'SIGTERM'] as const)(
  '%s ends a listener and tells its clients, and a ping prints what it has',
  async (signal) => {
    const { program, address } = await listening(`unix:${join(cwd, 's')}`);
    const ping = new Program(['ping', address, ...KEY, '--count', '100000', '--interval', '1'], { cwd });
    programs.push(ping);
    await ping.until(/^3 /m);
    ping.child.kill(signal);
    const pinged = await ping.ended;
    expect(pinged.code).toBe(signal === 'SIGINT' ? 130 : 143);
    expect(pinged.stdout).toMatch(/\d+ of \d+ answered/);
    program.child.kill(signal);
    expect((await program.ended).code).toBe(signal === 'SIGINT' ? 130 : 143);
  },
);

describe('the environment', () => {
  const env = (more: NodeJS.ProcessEnv): NodeJS.ProcessEnv => ({
    ...process.env,
    EIPC_KEY_FILE: '',
    EIPC_HMAC_KEY: '',
    ...more,
  });

  test('says where to listen, with which key, and how many may connect', async () => {
    const variables = { EIPC_KEY_FILE: 'eni.min.key', EIPC_LISTEN_ADDR: '127.0.0.1:0', EIPC_MAX_CONNECTIONS: '1' };
    const program = new Program(['listen'], { cwd, env: env(variables) });
    programs.push(program);
    const [, address = ''] = await program.until(/listening: (tcp:\S+)/);
    const args = ['send', address, '--type', 'heartbeat'];
    expect(await run(args, { cwd, env: env({ EIPC_KEY_FILE: 'eni.min.key' }) })).toMatchObject({ code: 0, stderr: '' });
    expect(await run([...args, '--key', 'eni.min.key'], { cwd, env: env({ EIPC_HMAC_KEY: 'unused' }) })).toMatchObject({
      code: 0,
    });
  });

  test('without a key, or with half of TLS, is refused before anything is opened', async () => {
    const missing = await run(['listen', 'shm:eai'], { cwd, env: env({}) });
    expect(missing).toMatchObject({ code: 2, stderr: expect.stringContaining('--key FILE') as string });
    const half = await run(['listen', 'shm:eai', ...KEY], { cwd, env: env({ EIPC_TLS_CERT: 'cert.pem' }) });
    expect(half).toMatchObject({ code: 2, stderr: expect.stringContaining('EIPC_TLS_KEY is not set') as string });
  });
});

describe('over tls', () => {
  const env = { ...process.env, EIPC_TLS_CERT: '', EIPC_TLS_KEY: '', EIPC_TLS_CA: '', EIPC_TLS_FINGERPRINTS: '' };
  const start = async (...args: string[]): Promise<{ address: string; fingerprint: string }> => {
    const program = new Program(['listen', 'tls://127.0.0.1:0', ...KEY, ...args], { cwd, env });
    programs.push(program);
    const [, address = ''] = await program.until(/listening: (tls:\S+)/);
    const [, fingerprint = ''] = await program.until(/certificate: .*--tls-fingerprint ([0-9a-f]{64})/);
    return { address, fingerprint };
  };

  test('a certificate for development is believed by the fingerprint that is printed, and by nothing else', async () => {
    const { address, fingerprint } = await start('--tls-auto-cert');
    const ping = ['ping', address, ...KEY, '--count', '1', '--interval', '0'];
    const good = await run([...ping, '--tls-fingerprint', fingerprint], { cwd, env });
    expect(good).toMatchObject({ code: 0, stderr: '' });
    expect(good.stdout).toMatch(/hmac-sha256 in TLSv1\.3 \(TLS_\w+\): 1 of 1 answered/);
    const byEnvironment = await run(ping, { cwd, env: { ...env, EIPC_TLS_FINGERPRINTS: fingerprint } });
    expect(byEnvironment).toMatchObject({ code: 0 });
    const blind = await run(ping, { cwd, env });
    expect(blind).toMatchObject({ code: 1, stderr: expect.stringContaining('EIPC_IDENTITY') as string });
    const wrong = await run([...ping, '--tls-fingerprint', 'ab'.repeat(32)], { cwd, env });
    expect(wrong).toMatchObject({ code: 1, stderr: expect.stringContaining(fingerprint) as string });
  });

  test('files of a certificate for development serve both ends: mutual TLS by four options', async () => {
    const files = ['--tls-cert', 'dev.crt', '--tls-key', 'dev.key'];
    const { address } = await start(...files, '--tls-ca', 'dev.crt', '--tls-auto-cert');
    const send = ['send', address, ...KEY, '--type', 'intent', '--payload', '{"a":1}', '--request'];
    const good = await run([...send, ...files, '--tls-ca', 'dev.crt'], { cwd, env });
    expect(good).toMatchObject({ code: 0, stderr: '' });
    expect(good.stdout).toContain('"status":"ok"');
    const without = await run([...send, '--tls-ca', 'dev.crt'], { cwd, env });
    expect(without.code).not.toBe(0);
    expect(without.stderr).toMatch(/EIPC_(?:HANDSHAKE_FAILED|TRANSPORT)/);
  });

  test('options of TLS for an address without it, and half of them, are wrong usage', async () => {
    for (const address of ['shm:eai', 'tcp://127.0.0.1:1'])
      for (const args of [
        ['listen', address],
        ['ping', address],
      ])
        expect(await run([...args, ...KEY, '--tls-ca', 'dev.crt'], { cwd, env })).toMatchObject({
          code: 2,
          stderr: expect.stringContaining('use tls://host:port, or leave them out') as string,
        });
    const half = await run(['listen', 'tls://127.0.0.1:0', ...KEY, '--tls-cert', 'dev.crt'], { cwd, env });
    expect(half).toMatchObject({ code: 2, stderr: expect.stringContaining('EIPC_TLS_KEY is not set: half') as string });
    const none = await run(['listen', 'tls://127.0.0.1:0', ...KEY], { cwd, env });
    expect(none).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('tls.cert and tls.key are missing') as string,
    });
  });
});
