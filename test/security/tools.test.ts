// Tools that run commands, attacked: by services that call them, by services that offer them, and by the commands themselves.
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';

import { connect, Key, listen, ToolRegistry } from '../../src/index.js';
import type { AuditEntry, ClientEndpoint, Server, ToolDescriptor } from '../../src/index.js';

/** Where commands of tools have not been tried. */
const isWindows = process.platform === 'win32';
const PROGRAM = fileURLToPath(new URL('../process/fixtures/tool-program.js', import.meta.url));
const RUNNER = fileURLToPath(new URL('../process/fixtures/program-runner.js', import.meta.url));
const run = (...args: string[]): Pick<ToolDescriptor, 'argv'> => ({ argv: [process.execPath, PROGRAM, ...args] });
const TOOLS: ToolDescriptor[] = [
  {
    name: 'test.argv',
    capability: 'device:write',
    parameters: { text: { type: 'string', maxLength: 4_096 }, count: { type: 'integer' } },
    ...run('argv', '{text}', 'n={count}'),
  },
  {
    name: 'test.exit',
    capability: 'device:write',
    parameters: { code: { type: 'integer' } },
    ...run('exit', '{code}'),
  },
  { name: 'test.flood', capability: 'device:write', maxOutput: 100_000, ...run('flood') },
  { name: 'test.stubborn', capability: 'device:write', timeout: 4_000, ...run('stubborn') },
  { name: 'test.leave', capability: 'device:write', ...run('leave') },
  { name: 'test.gone', capability: 'device:write', argv: [join(dirname(process.execPath), 'no-such-program')] },
  { name: 'test.restricted', capability: 'system:restricted', ...run('argv') },
  { name: 'test.pending', capability: 'device:write', ...run('argv') },
  { name: 'test.served', capability: 'device:write', parameters: { to: { type: 'number' } } },
];

const key = Key.fromBytes(randomBytes(32));
const entries: AuditEntry[] = [];
let failAudit: Error | undefined;
let hold: Promise<void> | undefined;
const audit = {
  log: async (entry: AuditEntry): Promise<void> => {
    if (failAudit !== undefined) throw failAudit;
    entries.push(entry);
    await hold;
  },
};
let folder: string;
let tools: ToolRegistry;
let server: Server;
let client: ClientEndpoint;
let served: unknown[];

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'eipc-tools-'));
  tools = new ToolRegistry({ audit });
  for (const descriptor of TOOLS) {
    const { name, hash } = tools.register('eai', descriptor);
    if (name !== 'test.pending') tools.approve(name, hash);
  }
  server = await listen('memory:tools', {
    services: { 'eni.min': { key, capabilities: ['device:write', 'ui:control'] } },
  });
  served = [];
  server.router?.handle(
    'tool_request',
    tools.handler((message) => ({ served: served.push(message.payload) })),
  );
  client = await connect(server.addresses[0] ?? '', { serviceId: 'eni.min', key });
});
afterEach(() => {
  entries.splice(0);
  failAudit = undefined;
  hold = undefined;
});
afterAll(async () => {
  await client.close();
  await server.close();
  rmSync(folder, { recursive: true, force: true });
});

interface Answer {
  status: string;
  exit_code: number | null;
  signal: string | null;
  stdout: string;
  stderr: string;
}

/** Calls a tool; returns the answer, or the code of the error. */
async function call(payload: unknown, capability = ''): Promise<Answer | string> {
  try {
    return (await client.request<Answer>({ type: 'tool_request', payload, capability }, { timeout: 60_000 })).payload;
  } catch (error) {
    return (error as { code: string }).code;
  }
}

/** Where the system tells which processes a process has started. */
const hasProc = existsSync('/proc/self/task');
const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    // A process that has ended and that nobody asked about is none.
    return !existsSync(`/proc/${pid}/stat`) || !readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') Z ');
  } catch {
    return false;
  }
};

describe.skipIf(isWindows)('a service that calls a tool', () => {
  it('gets its program run with each argument as it is, without a shell and without an environment', async () => {
    // The attacker writes what a shell would obey.
    for (const text of [
      'plain',
      '$(touch pwned)',
      '`id`',
      "'; id; '",
      '"&&id',
      '| id',
      '> x',
      'a  b',
      '*',
      '%PATH%',
      'é💡',
      '',
    ]) {
      const answer = await call({ tool: 'test.argv', args: { text, count: 3 } });
      expect(answer).toMatchObject({ status: 'ok', exit_code: 0, signal: null, stderr: '' });
      const said = JSON.parse((answer as Answer).stdout) as { argv: string[]; env: object; cwd: string };
      expect(said).toMatchObject({ argv: [text, 'n=3'], cwd: '/' });
      expect(Object.keys(said.env).filter((name) => !name.startsWith('__CF'))).toEqual([]);
    }
  });

  it('is told how it ended', async () => {
    expect(await call({ tool: 'test.exit', args: { code: 3 } })).toEqual({
      status: 'failed',
      exit_code: 3,
      signal: null,
      stdout: '',
      stderr: 'it did not work\n',
      request_id: expect.any(String) as unknown,
    });
    expect(await call({ tool: 'test.gone' })).toBe('EIPC_TRANSPORT');
  });

  it.each<[string, unknown, string, string?]>([
    ['a tool that there is not', { tool: 'test.other' }, 'EIPC_POLICY'],
    ['a tool that nobody approved', { tool: 'test.pending' }, 'EIPC_POLICY'],
    ['a tool of the prototype', { tool: 'constructor' }, 'EIPC_POLICY'],
    ['a right that it does not have', { tool: 'test.restricted' }, 'EIPC_CAPABILITY'],
    ['a right that it only claims', { tool: 'test.restricted' }, 'EIPC_CAPABILITY', 'system:restricted'],
    [
      'a right that it only says it has',
      { tool: 'test.restricted', permission: 'system:restricted' },
      'EIPC_CAPABILITY',
    ],
    [
      'a claim that narrows it to something else',
      { tool: 'test.exit', args: { code: 0 } },
      'EIPC_CAPABILITY',
      'ui:control',
    ],
    [
      'a permission that narrows it to something else',
      { tool: 'test.exit', args: { code: 0 }, permission: 'ui:control' },
      'EIPC_CAPABILITY',
    ],
    ['a field that is not known', { tool: 'test.exit', args: { code: 0 }, argv: ['/bin/id'] }, 'EIPC_BAD_PAYLOAD'],
    ['an argument that is not declared', { tool: 'test.exit', args: { code: 0, argv: 'x' } }, 'EIPC_BAD_PAYLOAD'],
    ['an argument missing', { tool: 'test.exit', args: {} }, 'EIPC_BAD_PAYLOAD'],
    ['no arguments', { tool: 'test.exit' }, 'EIPC_BAD_PAYLOAD'],
    ['an option for an argument', { tool: 'test.argv', args: { text: '--eval=1', count: 1 } }, 'EIPC_BAD_PAYLOAD'],
    ['a tool that is no name', { tool: ['test.exit'] }, 'EIPC_BAD_PAYLOAD'],
    ['no payload', undefined, 'EIPC_BAD_PAYLOAD'],
    [
      'arguments that a served tool does not declare',
      { tool: 'test.served', args: { to: 'there' } },
      'EIPC_BAD_PAYLOAD',
    ],
  ])('is refused with %s, and there is a line that says so', async (_, payload, code, capability) => {
    expect(await call(payload, capability)).toBe(code);
    // A claim that is not held does not get as far as here.
    if (capability === 'system:restricted') return;
    expect(entries).toMatchObject([{ peer: 'eni.min', action: 'tool.call', decision: 'deny' }]);
    expect(entries[0]?.result).toContain(code);
  });

  it('reaches the service that serves a tool without a command, with arguments that were checked', async () => {
    expect(await call({ tool: 'test.served', args: { to: 4 } })).toMatchObject({ status: 'ok', served: 1 });
    expect(served).toEqual([{ tool: 'test.served', args: { to: 4 } }]);
  });
});

describe.skipIf(isWindows)('a command', () => {
  it('is recorded before it runs, and does not run when that cannot be', async () => {
    // The attacker has filled the disk.
    expect(await call({ tool: 'test.exit', args: { code: 0 } })).toMatchObject({ status: 'ok' });
    expect(entries).toMatchObject([
      {
        peer: 'eni.min',
        action: 'test.exit',
        decision: 'allow',
        result: expect.stringMatching(/^run .* 'exit' '0'$/) as unknown,
      },
      { peer: 'eni.min', action: 'test.exit', decision: 'note', result: 'exit code 0' },
    ]);
    expect(entries[0]?.frame).toMatch(/^[0-9a-f]{64}$/);
    const { makeError } = await import('../../src/errors.js');
    failAudit = makeError('EIPC_AUDIT', 'the disk is full');
    expect(await call({ tool: 'test.exit', args: { code: 0 } })).toBe('EIPC_AUDIT');
  });

  it('does not run when the right, the approval or the tool has gone by the time that it is recorded', async () => {
    const changes: [() => void, () => void, string][] = [
      [
        () => server.revoke('eni.min', 'device:write'),
        () => server.grant('eni.min', 'device:write'),
        'EIPC_CAPABILITY',
      ],
      [() => tools.disapprove('test.exit'), () => tools.approve('test.exit', hashOf('test.exit')), 'EIPC_POLICY'],
    ];
    for (const [change, undo, code] of changes) {
      let release = (): void => {};
      hold = new Promise((resolve) => (release = resolve));
      const answer = call({ tool: 'test.exit', args: { code: 0 } });
      await expect.poll(() => entries.length).toBe(1);
      change();
      release();
      hold = undefined;
      expect(await answer).toBe(code);
      undo();
      expect(entries.filter(({ result }) => result === 'exit code 0')).toEqual([]);
      entries.splice(0);
    }
  });

  it('that writes without end is ended', async () => {
    expect(await call({ tool: 'test.flood' })).toBe('EIPC_MESSAGE_TOO_LARGE');
    expect(entries.at(-1)?.result).toMatch(/wrote more than 100000 bytes/);
  });

  it.skipIf(!hasProc)('that does not end is made to, with what it started', async () => {
    // The program ignores that it is told to.
    const before = childrenOf(process.pid);
    const answer = call({ tool: 'test.stubborn' });
    await expect
      .poll(
        () =>
          childrenOf(process.pid)
            .filter((pid) => !before.includes(pid))
            .flatMap(childrenOf).length,
      )
      .toBe(1);
    const [parent = 0] = childrenOf(process.pid).filter((pid) => !before.includes(pid));
    const [child = 0] = childrenOf(parent);
    expect(await answer).toBe('EIPC_TIMEOUT');
    await expect.poll(() => [isAlive(parent), isAlive(child)]).toEqual([false, false]);
  });

  it.skipIf(process.platform === 'win32')(
    'that leaves a process behind which holds its output is over nevertheless',
    async () => {
      const answer = (await call({ tool: 'test.leave' })) as Answer;
      const pid = Number(answer.stdout);
      expect([answer.status, isAlive(pid)]).toEqual(['ok', true]);
      process.kill(pid, 'SIGKILL');
    },
  );

  it.skipIf(!hasProc).each(['exit', 'uncaught error'])(
    'ends with the process that runs it, with what it started: %s',
    async (way) => {
      const runner = spawn(process.execPath, [RUNNER], { stdio: ['pipe', 'ignore', 'ignore'] });
      const programs = (): number[] => childrenOf(runner.pid ?? 0).flatMap((pid) => [pid, ...childrenOf(pid)]);
      // Three programs start one after the other.
      await expect.poll(() => programs().length, { timeout: 20_000 }).toBe(2);
      const pids = programs();
      try {
        runner.stdin.end(way);
        await once(runner, 'close');
        await expect.poll(() => pids.filter(isAlive)).toEqual([]);
      } finally {
        for (const pid of pids.filter(isAlive)) process.kill(pid, 'SIGKILL');
      }
    },
  );

  it.skipIf(!hasProc)('ends with the session of who asked for it', async () => {
    const other = await connect(server.addresses[0] ?? '', { serviceId: 'eni.min', key });
    const before = childrenOf(process.pid);
    const asked = other.request({ type: 'tool_request', payload: { tool: 'test.stubborn' } }).catch(() => undefined);
    await expect.poll(() => childrenOf(process.pid).filter((pid) => !before.includes(pid)).length).toBe(1);
    const [pid = 0] = childrenOf(process.pid).filter((one) => !before.includes(one));
    await server.revokeSession(other.peer.sessionId);
    await asked;
    await expect.poll(() => isAlive(pid), { timeout: 10_000 }).toBe(false);
    // The program is known to have ended a moment after it has.
    await expect.poll(() => entries.at(-1)?.result).toMatch(/^EIPC_REVOKED/);
  });
});

function hashOf(name: string): string {
  return tools.list().find((tool) => tool.name === name)?.hash ?? '';
}

/** The processes that a process has started, and that have not ended. */
function childrenOf(pid: number): number[] {
  try {
    const text = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
    return text === '' ? [] : text.split(' ').map(Number).filter(isAlive);
  } catch {
    return [];
  }
}
