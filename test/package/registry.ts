/** An npm registry on this machine. It has the packages it is given and no others, so that a test neither needs nor reaches the network. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { basename } from 'node:path';

/** What these tests read of a package.json. */
export interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly license: string;
  readonly main?: string;
  readonly scripts?: Readonly<Record<string, string>>;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
  readonly os?: readonly string[];
  readonly cpu?: readonly string[];
  readonly libc?: readonly string[];
}

/** One version of one package. */
export interface Release {
  readonly manifest: Manifest;
  readonly tarball: string;
}

export class Registry {
  readonly url: string;
  readonly #server: Server;

  static async start(releases: readonly Release[]): Promise<Registry> {
    const server = createServer((request, response) => {
      const path = decodeURIComponent(request.url ?? '').slice(1);
      const release = releases.find(({ manifest }) => path === manifest.name);
      const file = releases.find(({ tarball }) => path === `-/${basename(tarball)}`);
      if (file !== undefined) response.end(readFileSync(file.tarball));
      else if (release !== undefined) response.end(JSON.stringify(describe(release, urlOf(server))));
      else response.writeHead(404).end('{}');
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new Registry(server);
  }

  private constructor(server: Server) {
    this.#server = server;
    this.url = urlOf(server);
  }

  async close(): Promise<void> {
    this.#server.close();
    this.#server.closeAllConnections();
    await once(this.#server, 'close');
  }
}

/** What a registry says about a package. */
function describe({ manifest, tarball }: Release, url: string): object {
  const integrity = `sha512-${createHash('sha512').update(readFileSync(tarball)).digest('base64')}`;
  const dist = { tarball: `${url}-/${basename(tarball)}`, integrity };
  return {
    name: manifest.name,
    'dist-tags': { latest: manifest.version },
    versions: { [manifest.version]: { ...manifest, dist } },
  };
}

function urlOf(server: Server): string {
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
}
