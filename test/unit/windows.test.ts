// What is left where the addon has no Unix sockets: streams work, and what needs the sockets is refused with the way out.
import { randomBytes } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { connect, Key, listen, TransportError } from '../../src/index.js';
import { addressOf } from '../helpers/scene.js';

vi.mock('../../src/native.js', async (original) => ({
  ...(await original<object>()),
  ShmSession: undefined,
  UnixListener: undefined,
  UnixSocket: undefined,
}));

const platform = process.platform;

// A path is all that pipes ask the system for; elsewhere that of a Unix socket of Node does.
vi.mock('../../src/transport/pipe-path.js', async (original) =>
  process.platform === 'win32' ? original() : { pipePath: (name: string) => join(tmpdir(), `eipc-pipe-${name}`) },
);

function pretend(name: NodeJS.Platform): void {
  Object.defineProperty(process, 'platform', { value: name });
}

describe('on Windows', () => {
  beforeEach(() => pretend('win32'));
  afterEach(() => pretend(platform));

  const key = Key.fromBytes(randomBytes(32));
  const services = { eni: { key, capabilities: [] } };

  it.each(['shm:eai', 'unix:/run/eai.sock'])('%s is refused with what to use instead', async (address) => {
    for (const refused of [connect(address, { serviceId: 'eni', key }), listen(address, { services })]) {
      const error = await refused.catch((reason: unknown) => reason);
      expect(error).toBeInstanceOf(TransportError);
      expect(error).toMatchObject({
        code: 'EIPC_TRANSPORT',
        message: expect.stringMatching(
          /not available on Windows; use pipe:NAME, tcp:\/\/127\.0\.0\.1:port or tls:/,
        ) as string,
      });
    }
  });

  it.each(['tcp://127.0.0.1:0', 'memory:windows', `pipe:windows-${process.pid}`])(
    '%s works without Unix sockets in the addon',
    async (address) => {
      const server = await listen(address, { services });
      server.router?.handle('intent', (message) => ({ echo: message.payload }));
      const client = await connect(addressOf(server), { serviceId: 'eni', key });
      const answer = await client.request({ type: 'intent', payload: { move: 1 } });
      expect(answer.payload).toMatchObject({ echo: { move: 1 } });
      await client.close();
      await server.close();
    },
  );
});
