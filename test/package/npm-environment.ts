/** How npm is run here. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';

/** The environment for npm: nothing of the npm that started this, no scripts, a cache of its own, only this registry. */
export function npmEnvironment(folder: string, registry: string): NodeJS.ProcessEnv {
  const outer = Object.entries(process.env).filter(([name]) => !/^npm_/i.test(name));
  const cache = join(folder, 'npm-cache');
  mkdirSync(cache, { recursive: true });
  return {
    ...Object.fromEntries(outer),
    npm_config_cache: cache,
    npm_config_userconfig: join(folder, 'no-npmrc'),
    npm_config_globalconfig: join(folder, 'no-global-npmrc'),
    npm_config_ignore_scripts: 'true',
    npm_config_audit: 'false',
    npm_config_fund: 'false',
    npm_config_update_notifier: 'false',
    ...(registry === '' ? {} : { npm_config_registry: registry }),
  };
}
