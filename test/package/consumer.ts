/** A folder of somebody who uses eipc: npm installs into it, programs run in it. */
import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { inject } from 'vitest';

import { npmEnvironment } from './npm-environment.js';

/** How a program ended. */
export interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export class Consumer {
  readonly folder: string;
  readonly #environment: NodeJS.ProcessEnv;

  /** Makes the folder; `manifest` is its package.json. */
  constructor(manifest: object = { type: 'module', private: true }) {
    this.folder = mkdtempSync(join(inject('folder'), 'consumer-'));
    // A runtime directory of its own: named sockets of other programs on this machine are elsewhere.
    this.#environment = { ...npmEnvironment(inject('folder'), inject('registry')), XDG_RUNTIME_DIR: this.folder };
    this.write('package.json', JSON.stringify(manifest));
  }

  write(name: string, text: string): void {
    writeFileSync(join(this.folder, name), text);
  }

  /** Runs a program to its end. */
  run(program: string, args: readonly string[]): Promise<Ended> {
    return new Promise((resolve) => {
      const options = { cwd: this.folder, env: this.#environment, maxBuffer: 1 << 24 };
      execFile(program, args, options, (error, stdout, stderr) => {
        const code = error === null ? 0 : typeof error.code === 'number' ? error.code : -1;
        resolve({ code, stdout, stderr });
      });
    });
  }

  node(args: readonly string[]): Promise<Ended> {
    return this.run(process.execPath, args);
  }

  /** Runs npm, which must succeed. */
  async npm(...args: readonly string[]): Promise<Ended> {
    const ended = await this.run('npm', args);
    if (ended.code !== 0)
      throw new Error(`npm ${args.join(' ')} failed (${ended.code}):\n${ended.stdout}${ended.stderr}`);
    return ended;
  }

  /** The packages that are in node_modules, sorted. */
  installed(): readonly string[] {
    const modules = join(this.folder, 'node_modules');
    if (!existsSync(modules)) return [];
    const names = readdirSync(modules).filter((name) => !name.startsWith('.'));
    return names
      .flatMap((name) =>
        name.startsWith('@') ? readdirSync(join(modules, name)).map((inner) => `${name}/${inner}`) : name,
      )
      .sort();
  }
}
