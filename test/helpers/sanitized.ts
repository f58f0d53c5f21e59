/**
 * The environment of a Node that attacks or is attacked. With `EIPC_ASAN_ADDON` it loads that addon, in a process that has
 * AddressSanitizer (scripts/with-asan-addon.sh); otherwise it is that of the test.
 */
import { fileURLToPath } from 'node:url';

const OTHER_ADDON = fileURLToPath(new URL('other-addon.cjs', import.meta.url));

export function sanitizedEnvironment(): NodeJS.ProcessEnv {
  const { EIPC_ASAN_ADDON: addon, EIPC_ASAN_RUNTIME: runtime } = process.env;
  if (addon === undefined || runtime === undefined) return process.env;
  return {
    ...process.env,
    LD_PRELOAD: runtime,
    // Node leaves its own memory to the kernel; what is looked for are bad accesses. An allocation of any size may be refused.
    ASAN_OPTIONS: 'detect_leaks=0:abort_on_error=1:disable_coredump=1:allocator_may_return_null=1',
    NODE_OPTIONS: `--require ${OTHER_ADDON}`,
  };
}
