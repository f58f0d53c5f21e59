/** What the tests of one file share: a folder, and servers and clients that are closed after each test, the latest first. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll } from 'vitest';

import { connect, listen } from '../../src/index.js';
import type { ClientEndpoint, ConnectOptions, ListenOptions, Server } from '../../src/index.js';

interface Closable {
  close(options?: object): Promise<unknown>;
}

export class FileScene {
  folder = '';
  readonly #name: string;
  readonly #open: Closable[] = [];
  #count = 0;

  constructor(name: string) {
    this.#name = name;
    beforeAll(() => {
      this.folder = mkdtempSync(join(tmpdir(), `eipc-${name}-`));
    });
    afterEach(async () => {
      for (const one of this.#open.splice(0).reverse()) await one.close({ timeout: 500 });
    });
    afterAll(() => rmSync(this.folder, { recursive: true, force: true }));
  }

  /** Returns an address that nobody listens on. */
  newAddress(transport: 'shm' | 'unix' | 'memory' = 'memory'): string {
    this.#count += 1;
    return transport === 'memory'
      ? `memory:${this.#name}-${this.#count}`
      : `${transport}:${join(this.folder, `s${this.#count}`)}`;
  }

  /** Has something closed after the test. */
  closeLater<T extends Closable>(one: T): T {
    this.#open.push(one);
    return one;
  }

  async listen(options: ListenOptions, address: string = this.newAddress()): Promise<Server> {
    return this.closeLater(await listen(address, options));
  }

  async connect(server: Server, options: ConnectOptions): Promise<ClientEndpoint> {
    return this.closeLater(await connect(server.addresses[0] ?? '', options));
  }
}
