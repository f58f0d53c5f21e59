/** A second eipc: the package as it is built here, in a folder of its own, so that it loads another addon. */
import { copyFileSync, cpSync, mkdirSync, readdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/**
 * Makes the copy and returns its folder, which is made here.
 *
 * @param addon - the file that it loads instead of the one that is built here
 */
export function copyPackage(folder: string, addon?: string): string {
  mkdirSync(folder);
  cpSync(join(ROOT, 'dist'), join(folder, 'dist'), { recursive: true });
  copyFileSync(join(ROOT, 'package.json'), join(folder, 'package.json'));
  for (const name of readdirSync(ROOT).filter((file) => file.endsWith('.node')))
    copyFileSync(addon ?? join(ROOT, name), join(folder, name));
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
  return folder;
}
