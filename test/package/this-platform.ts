/** The platform these tests run on, as package names end. */
import { existsSync } from 'node:fs';
import { inject } from 'vitest';

const { platform, arch } = process;

/** Says for itself what the loader finds out by other means. */
export const platformOfThisMachine = inject('platforms')
  .map(({ name }) => name.replace(/^eipc-/, ''))
  .filter((name) => name === `${platform}-${arch}` || name.startsWith(`${platform}-${arch}-`))
  .filter((name) => !name.endsWith('-musl') === !existsSync('/etc/alpine-release'))[0];
