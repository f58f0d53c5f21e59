// What is particular to tcp: names, ports, sources, and errors in words.
import type { Socket } from 'node:net';
import { connect as connectSocket, createServer } from 'node:net';
import { once } from 'node:events';
import { randomBytes } from 'node:crypto';
import dns from 'node:dns';
import { readFileSync } from 'node:fs';
import { afterEach, describe, expect, it, vi } from 'vitest';

import { connect, Key, listen } from '../../src/index.js';
import type { ListenOptions, Server } from '../../src/index.js';
import { sourceOf } from '../../src/transport/tcp.js';

const key = Key.fromBytes(randomBytes(32));
const CLIENT = { serviceId: 'eni', key };
const open: { close(): unknown }[] = [];

afterEach(async () => {
  await Promise.all(open.splice(0).map((one) => one.close()));
});

async function serve(address: string, options: Partial<ListenOptions> = {}): Promise<{ server: Server; port: number }> {
  const server = await listen(address, { services: { eni: { key, capabilities: [] } }, ...options });
  open.push(server);
  return { server, port: Number(/\d+$/.exec(server.addresses[0] ?? '')?.[0]) };
}

describe('listening on tcp', () => {
  it.each(['tcp://localhost:0', 'tcp://:0', 'tcp://127.0.0.1:0'])('%s is bound on loopback only', async (address) => {
    const { server, port } = await serve(address);
    expect(server.addresses).toEqual([`tcp://127.0.0.1:${port}`]);
    expect(port).toBeGreaterThan(0);
    // The name leads to it again, whatever a resolver says.
    const client = await connect(`tcp://LOCALHOST:${port}`, CLIENT);
    expect(client.remoteAddress).toBe(`tcp://localhost:${port}`);
    await client.close();
  });

  // The attacker answers questions about names: whoever is sent to another machine would speak to it unencrypted.
  it('localhost is this machine, whatever a resolver says', async () => {
    const { port } = await serve('tcp://localhost:0');
    const lookup = vi.spyOn(dns, 'lookup').mockImplementation(((_host: string, _options: unknown, done: unknown) => {
      (done as (error: Error | null, address: string, family: number) => void)(null, '192.0.2.1', 4);
    }) as typeof dns.lookup);
    try {
      const client = await connect(`tcp://localhost:${port}`, { ...CLIENT, handshakeTimeout: 2_000 });
      expect(client.state).toBe('open');
      await client.close();
      expect(lookup).not.toHaveBeenCalled();
    } finally {
      lookup.mockRestore();
    }
  });

  it('several addresses of several transports are one server', async () => {
    const server = await listen(['tcp://127.0.0.1:0', 'memory:several', 'tcp://127.0.0.1:0'], {
      services: { eni: { key, capabilities: [] } },
    });
    open.push(server);
    expect(new Set(server.addresses).size).toBe(3);
    for (const address of server.addresses) expect((await connect(address, CLIENT)).state).toBe('open');
    expect(server.endpoints.size).toBe(3);
  });

  it('binds none of several addresses when one cannot be bound', async () => {
    const { port } = await serve('tcp://127.0.0.1:0');
    const both = listen(['memory:half', `tcp://127.0.0.1:${port}`], { services: {} });
    await expect(both).rejects.toMatchObject({ code: 'EIPC_ADDRESS_IN_USE' });
    await expect(both).rejects.toThrow(`tcp://127.0.0.1:${port}: another program has the port; choose another, or 0`);
    await expect(connect('memory:half', CLIENT)).rejects.toThrow(/no server of this thread/);
  });

  it('on an address that is not this machine’s says so', async () => {
    // TEST-NET-1: nobody has it.
    const refused = listen('tcp://192.0.2.1:0', { services: {}, dangerousPlaintext: true });
    await expect(refused).rejects.toMatchObject({ code: 'EIPC_TRANSPORT' });
    await expect(refused).rejects.toThrow(/this machine does not have the address 192\.0\.2\.1/);
  });

  it('ends with its signal, also when that comes while it binds', async () => {
    const aborted = new AbortController();
    const listening = listen('tcp://127.0.0.1:0', { services: {}, signal: aborted.signal });
    aborted.abort(new Error('enough'));
    await expect(listening).rejects.toThrow('enough');
  });

  it('with dangerousPlaintext a network address serves in clear text whoever cannot encrypt', async () => {
    const { server, port } = await serve('tcp://0.0.0.0:0', { dangerousPlaintext: true });
    expect(server.addresses).toEqual([`tcp://0.0.0.0:${port}`]);
    const client = await connect(`tcp://127.0.0.1:${port}`, CLIENT);
    expect(client.peer.suite).toBe('aes-256-gcm');
    expect([...server.endpoints][0]?.remoteAddress).toMatch(/^tcp:\/\/127\.0\.0\.1:\d+$/);
    const plain = await connect(`tcp://127.0.0.1:${port}`, { ...CLIENT, suites: ['hmac-sha256'] });
    expect(plain.peer.suite).toBe('hmac-sha256');
  });
});

describe('a source on the network', () => {
  it.each([
    ['10.0.0.1', '10.0.0.1'],
    ['::ffff:10.0.0.1', '10.0.0.1'],
    ['::1', '0:0:0:0::/64'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:db8:1:2::9', '2001:db8:1:2::/64'],
    ['2001:db8::9', '2001:db8:0:0::/64'],
    ['2001:db8:1::1:2:3:4', '2001:db8:1:0::/64'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64'],
    ['1:2:3::10.0.0.1', '1:2:3:0::/64'],
  ])('%s counts as %s', (address, source) => {
    expect(sourceOf(address)).toBe(source);
  });

  // The attacker opens connections from one address and says nothing; others must still get in.
  it.skipIf(process.platform !== 'linux')('that says nothing leaves room for others', async () => {
    const { server, port } = await serve('tcp://127.0.0.1:0', { maxUnauthenticated: 8 });
    const silent: Socket[] = [];
    for (let n = 0; n < 10; n += 1) {
      const socket = connectSocket({ host: '127.0.0.1', port, localAddress: '127.0.0.2' });
      silent.push(socket.on('error', () => {}));
      await once(socket, 'connect');
    }
    open.push({ close: () => silent.forEach((socket) => socket.destroy()) });
    await expect.poll(() => server.stats()).toMatchObject({ accepted: 10, handshaking: 4, refusedSources: 6 });
    expect((await connect(`tcp://127.0.0.1:${port}`, CLIENT)).state).toBe('open');
  });
});

describe('connecting over tcp', () => {
  it('to a name that does not exist says so', async () => {
    const refused = connect('tcp://no-such-host.invalid:1', { ...CLIENT, dangerousPlaintext: true });
    await expect(refused).rejects.toMatchObject({ code: 'EIPC_TRANSPORT' });
    await expect(refused).rejects.toThrow(/no-such-host\.invalid.*use its IP address/);
  });

  it('to a port where nobody listens says so', async () => {
    const { server, port } = await serve('tcp://127.0.0.1:0');
    await server.close();
    for (const host of ['127.0.0.1', 'localhost']) {
      const refused = connect(`tcp://${host}:${port}`, CLIENT);
      await expect(refused).rejects.toMatchObject({ code: 'EIPC_TRANSPORT' });
      await expect(refused).rejects.toThrow(`no server listens on tcp://${host}:${port}; start the server first`);
    }
  });

  it('to a server that closes at once fails, with an error of the library', async () => {
    const rude = createServer((socket) => socket.resetAndDestroy()).listen(0, '127.0.0.1');
    open.push(rude);
    await once(rude, 'listening');
    const { port } = rude.address() as { port: number };
    await expect(connect(`tcp://127.0.0.1:${port}`, CLIENT)).rejects.toMatchObject({
      code: expect.stringMatching(/^EIPC_/) as string,
    });
  });

  it.skipIf(process.platform !== 'linux')(
    'has the kernel ask whether the other machine is there, at both ends',
    async () => {
      const { port } = await serve('tcp://127.0.0.1:0');
      await connect(`tcp://127.0.0.1:${port}`, CLIENT);
      const hex = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
      // Columns of /proc/net/tcp: local and remote address, state (01: established), queues, timer (02: keep-alive).
      const ends = (): string[] =>
        readFileSync('/proc/net/tcp', 'utf8')
          .split('\n')
          .map((line) => line.trim().split(/\s+/))
          .filter(([, local, remote, state]) => (local?.endsWith(hex) || remote?.endsWith(hex)) && state === '01')
          .map((columns) => columns[5]?.slice(0, 2) ?? '');
      await expect.poll(ends).toEqual(['02', '02']);
    },
  );
});
