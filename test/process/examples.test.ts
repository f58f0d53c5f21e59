/** Every program of examples/ runs as it stands there, in a folder with the keys it asks for; the pages that quote them quote what runs. */
import { type ChildProcessWithoutNullStreams, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const DEADLINE = { timeout: 20_000 };

let folder = '';
let programs: Program[] = [];
const ran = new Set<string>();

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'eipc-examples-'));
  const main = join(ROOT, 'dist/cli/main.js');
  for (const service of ['eni.min', 'alice', 'bob'])
    await promisify(execFile)(process.execPath, [main, 'keygen', '--service', service], { cwd: folder });
});
afterEach(async () => {
  for (const { child } of programs) child.kill('SIGKILL');
  await Promise.all(programs.map(({ ended }) => ended));
  programs = [];
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A running example and what it said. */
class Program {
  readonly child: ChildProcessWithoutNullStreams;
  readonly ended: Promise<unknown>;
  said = '';

  constructor(name: string, ...args: string[]) {
    ran.add(name);
    // A control socket of its own, whatever else runs on this machine.
    const env = { ...process.env, XDG_RUNTIME_DIR: folder };
    this.child = spawn(process.execPath, [join(ROOT, 'examples', name), ...args], { cwd: folder, env, stdio: 'pipe' });
    for (const stream of [this.child.stdout, this.child.stderr])
      stream.setEncoding('utf8').on('data', (text: string) => (this.said += text));
    this.ended = once(this.child, 'close');
    programs.push(this);
  }

  says(what: RegExp): Promise<void> {
    return expect.poll(() => this.said, DEADLINE).toMatch(what);
  }

  /** Waits for a good end. */
  async succeeds(): Promise<void> {
    await this.ended;
    expect({ code: this.child.exitCode, said: this.said }).toMatchObject({ code: 0 });
  }
}

describe('hello', () => {
  it('the server answers who asks, by the name its key proves', async () => {
    const server = new Program('hello/server.js');
    await server.says(/listening on shm:hello/);
    const client = new Program('hello/client.js', 'good morning');
    await client.succeeds();
    expect(client.said).toBe('hello eni.min, you said "good morning"\n');
    server.child.kill('SIGTERM');
    await server.succeeds();
  });
});

describe('the motor', () => {
  it.each([
    ['killed', 'SIGKILL', 'EIPC_PEER_DOWN'],
    ['asked to end', 'SIGTERM', 'EIPC_CLOSED_BY_PEER'],
  ] as const)('stops when the ENI is %s', async (_, signal, code) => {
    const eai = new Program('eni-eai/eai.js');
    await eai.says(/listening on shm:eai/);
    const eni = new Program('eni-eai/eni.js');
    await eni.says(/first answer: \{ status: 'ok'.*moving: true/);
    await eai.says(/motor moves left/);
    expect(eai.said).not.toMatch(/EIPC_/);
    eni.child.kill(signal);
    // On a slow machine the dead man's switch may have been first; either way it stands when the ENI is known to have gone.
    await eai.says(new RegExp(`motor stopped: .*\\nthe ENI has gone: ${code}`));
    eai.child.kill('SIGTERM');
    await eai.succeeds();
  });

  it('stops when the ENI is alive and silent', async () => {
    const eai = new Program('eni-eai/eai.js');
    await eai.says(/listening on shm:eai/);
    const eni = new Program('eni-eai/eni.js');
    await eai.says(/motor moves left/);
    eni.child.kill('SIGSTOP');
    await eai.says(/motor stopped: no intent in time/);
  });
});

describe('chat', () => {
  it('passes on what one says to the other, under the name that was proved', async () => {
    const server = new Program('chat/server.js');
    await server.says(/listening on unix:/);
    const [alice, bob] = [new Program('chat/client.js', 'alice'), new Program('chat/client.js', 'bob')];
    await Promise.all([alice.says(/you are alice/), bob.says(/you are bob/)]);
    alice.child.stdin.write('hello bob\n');
    await bob.says(/alice: "hello bob"/);
    bob.child.stdin.end('hello \u001b[2Jalice\n');
    await alice.says(/bob: "hello \\u001b\[2Jalice"/);
    await bob.succeeds();
    alice.child.stdin.end();
    await alice.succeeds();
    expect(alice.said).not.toContain('hello bob');
    server.child.kill('SIGTERM');
    await server.succeeds();
  });
});

describe('chat over tls', () => {
  it('is between who has the keys, by a certificate that the server makes and the client knows by its fingerprint', async () => {
    const server = new Program('chat-tls/server.js');
    await server.says(/client\.js alice tls:\/\/127\.0\.0\.1:\d+ [0-9a-f]{64}\n/);
    const [, address = '', fingerprint = ''] = / (tls:\S+) (\S+)/.exec(server.said) ?? [];
    const [alice, bob] = ['alice', 'bob'].map((name) => new Program('chat-tls/client.js', name, address, fingerprint));
    if (alice === undefined || bob === undefined) throw new Error('two are needed');
    await Promise.all([alice.says(/you are alice, by TLSv1\.3 with TLS_/), bob.says(/you are bob/)]);
    alice.child.stdin.write('hello bob\n');
    await bob.says(/alice: "hello bob"/);
    bob.child.stdin.end('hello alice\n');
    await alice.says(/bob: "hello alice"/);
    await bob.succeeds();
    const deceived = new Program(
      'chat-tls/client.js',
      'bob',
      address,
      fingerprint.replace(/^./, (digit) => (digit === '0' ? '1' : '0')),
    );
    await deceived.says(/EIPC_IDENTITY/);
    alice.child.stdin.end();
    await alice.succeeds();
    server.child.kill('SIGTERM');
    await server.succeeds();
  });
});

describe('what replaces', () => {
  it('messages of child_process: parent and child', async () => {
    const parent = new Program('migration/child-process/parent.js');
    await parent.succeeds();
    expect(parent.said).toBe('the square is 144\n');
  });

  it('zeromq.js: request and reply', async () => {
    const server = new Program('migration/zeromq/server.js');
    await server.says(/listening on shm:squares/);
    const client = new Program('migration/zeromq/client.js');
    await client.succeeds();
    expect(client.said).toBe('the square is 144\n');
    server.child.kill('SIGTERM');
    await server.succeeds();
  });

  it.each(['child-process', 'zeromq'])('%s is quoted in its page as it runs', (name) => {
    const page = readFileSync(join(ROOT, `docs/migration/${name}.md`), 'utf8');
    const quoted = [...page.matchAll(/```js\n\/\/ (examples\/\S+)\n([\s\S]*?)```/g)];
    expect(quoted.length).toBe(2);
    for (const [, path = '', code] of quoted) expect(code).toBe(readFileSync(join(ROOT, path), 'utf8'));
  });
});

it('every example ran', () => {
  const parts = ['eni-eai/motor.js', 'chat/address.js', 'migration/child-process/child.js']; // started by others
  const files = readdirSync(join(ROOT, 'examples'), { recursive: true, encoding: 'utf8' });
  expect(files.filter((name) => name.endsWith('.js')).toSorted()).toEqual([...ran, ...parts].toSorted());
});
