// Named pipes: what the system answers, in words. That messages go through them is in test/conformance, on Windows and over a stand-in.
import { randomBytes } from 'node:crypto';
import { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';

import { connect, Key, listen, pipe } from '../../src/index.js';
import type { Server } from '../../src/index.js';
import { SocketStream } from '../../src/transport/byte-stream.js';
import { pipePath } from '../../src/transport/pipe-path.js';

const stand = vi.hoisted(() => ({ isIn: false }));

vi.mock('../../src/transport/pipe-path.js', async (original) => {
  const { pipePath: ofSystem } = await original<{ pipePath: typeof pipePath }>();
  const path = (name: string): string => join(tmpdir(), `eipc-pipe-${name}`);
  return { pipePath: (name: string) => (stand.isIn && process.platform !== 'win32' ? path(name) : ofSystem(name)) };
});

const key = Key.fromBytes(randomBytes(32));
const services = { eni: { key, capabilities: [] } };
const name = `unit-${process.pid}`;

describe('a named pipe', () => {
  const { platform } = process;
  afterEach(() => void Object.defineProperty(process, 'platform', { value: platform }));

  it.skipIf(platform === 'win32')('is refused where there are none, with what there is instead', async () => {
    for (const refused of [
      connect('pipe:eai', { serviceId: 'eni', key }),
      listen('pipe:eai', { services }),
      pipe().listen('pipe:eai'),
      pipe().dial('pipe:eai'),
    ])
      await expect(refused).rejects.toMatchObject({
        code: 'EIPC_TRANSPORT',
        message: expect.stringMatching(/named pipes are Windows' own.*use shm:NAME, unix:\/path/) as string,
      });
  });

  it('is called by its name and ours in front', () => {
    Object.defineProperty(process, 'platform', { value: 'win32' });
    expect(pipePath('eai')).toBe('\\\\.\\pipe\\eipc-eai');
  });
});

describe('over a pipe', () => {
  let server: Server | undefined;

  afterEach(async () => {
    vi.restoreAllMocks();
    await server?.close();
    server = undefined;
    stand.isIn = false;
  });

  const dial = (): Promise<unknown> => {
    stand.isIn = true;
    return connect(`pipe:${name}`, { serviceId: 'eni', key, handshakeTimeout: 100 });
  };
  const serve = async (): Promise<void> => {
    stand.isIn = true;
    server = await listen(`pipe:${name}`, { services });
  };

  it('a peer has an address and no user: the kernel names nobody', async () => {
    await serve();
    const client = await connect(`pipe:${name}`, { serviceId: 'eni', key });
    const [endpoint] = server?.endpoints ?? [];
    for (const peer of [client.peer, endpoint?.peer]) {
      expect(peer).toMatchObject({ transport: 'pipe', address: `pipe:${name}` });
      expect(peer?.uid).toBeUndefined();
    }
    await client.close();
  });

  it('access is refused, because nobody could keep it', async () => {
    stand.isIn = true;
    await expect(listen(`pipe:${name}`, { services, access: { uids: [1_001] } })).rejects.toThrow(
      /access is for unix: and shm:/,
    );
  });

  // The attacker was first to take the name, or takes it a second time.
  it('a name that somebody has is not shared', async () => {
    await serve();
    await expect(listen(`pipe:${name}`, { services })).rejects.toMatchObject({
      code: 'EIPC_ADDRESS_IN_USE',
      message: expect.stringContaining('another program has that pipe') as string,
    });
  });

  it('a server that is not there is missed at once', async () => {
    await expect(dial()).rejects.toMatchObject({
      code: 'EIPC_TRANSPORT',
      message: expect.stringContaining(`no server listens on pipe:${name}; start the server first`) as string,
    });
  });

  // Node takes a pipe that it may only read for a connection, on which nobody could say hello.
  it('a pipe that can only be read is no connection', async () => {
    await serve();
    vi.spyOn(SocketStream.prototype, 'isWritable', 'get').mockReturnValue(false);
    await expect(dial()).rejects.toThrow(/this user may not write to pipe:.*run both as one user/);
  });

  const answering = (answer: (socket: Socket) => void): void => {
    vi.spyOn(SocketStream, 'connecting').mockImplementation(() => {
      const socket = new Socket();
      queueMicrotask(() => answer(socket));
      return { socket, stream: SocketStream.ofPaused(socket) };
    });
  };

  it.each(['EPERM', 'EACCES'])('%s says whose pipe it is', async (code) => {
    answering((socket) => socket.destroy(Object.assign(new Error(code), { code })));
    await expect(dial()).rejects.toMatchObject({
      code: 'EIPC_TRANSPORT',
      message: expect.stringContaining('its server belongs to another user, or runs as administrator') as string,
      cause: { code },
    });
  });

  it('anything else the system says is passed on', async () => {
    answering((socket) => socket.destroy(Object.assign(new Error('no more handles'), { code: 'EMFILE' })));
    await expect(dial()).rejects.toThrow(/cannot connect to pipe:.*no more handles/);
  });

  it('a server that never has an end free is given up, in time or by a signal', async () => {
    let socket: Socket | undefined;
    answering((answered) => {
      socket = answered;
    });
    await expect(dial()).rejects.toMatchObject({
      code: 'EIPC_TIMEOUT',
      message: expect.stringContaining('had no end free within 100 ms') as string,
    });
    expect(socket?.destroyed).toBe(true);
    const signal = AbortSignal.abort(new Error('enough'));
    await expect(connect(`pipe:${name}`, { serviceId: 'eni', key, signal })).rejects.toThrow('enough');
    const controller = new AbortController();
    answering(() => controller.abort(new Error('later')));
    await expect(connect(`pipe:${name}`, { serviceId: 'eni', key, signal: controller.signal })).rejects.toThrow(
      'later',
    );
  });
});
