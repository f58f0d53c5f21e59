/** What docs/tls.md says to do, done: an authority by OpenSSL's program, and both ends with the files it leaves. Skipped where there is no OpenSSL 3. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { certificateFingerprint, connect, Key, listen } from '../../src/index.js';

const PAGE = readFileSync(new URL('../../docs/tls.md', import.meta.url), 'utf8');
const hasOpenSsl = /^OpenSSL [3-9]/.test(spawnSync('openssl', ['version'], { encoding: 'utf8' }).stdout ?? '');

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'eipc-tls-page-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe.skipIf(!hasOpenSsl || process.platform === 'win32')('the page about TLS', () => {
  it('makes an authority, certificates for both ends, and a fingerprint', async () => {
    const [, script = ''] = /<!-- example: authority -->\s+```sh\n([\s\S]*?)```/.exec(PAGE) ?? [];
    const printed = execFileSync('bash', ['-euo', 'pipefail', '-c', script], {
      cwd: folder,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const read = (name: string): string => readFileSync(join(folder, name), 'utf8');
    expect(statSync(join(folder, 'eai.key')).mode & 0o077).toBe(0);
    const fingerprint = printed.toString('utf8').slice(0, 64);
    expect(fingerprint).toBe(certificateFingerprint(read('eai.crt')));

    const key = Key.fromBytes(randomBytes(32));
    const ca = read('ca.crt');
    const server = await listen('tls://localhost:0', {
      services: { 'eni.min': { key, capabilities: [] } },
      tls: { cert: read('eai.crt'), key: read('eai.key'), ca },
    });
    const address = server.addresses[0]?.replace('127.0.0.1', 'localhost') ?? '';
    const own = { cert: read('eni.crt'), key: read('eni.key') };
    const client = await connect(address, {
      serviceId: 'eni.min',
      key,
      tls: { ca, ...own, fingerprints: [fingerprint] },
    });
    expect(client.peer.tls).toMatchObject({ authorized: true, fingerprint });
    expect([...server.endpoints][0]?.peer.tls).toMatchObject({ fingerprint: certificateFingerprint(own.cert) });
    await client.close();
    // Without a certificate nobody gets in, and the page says so.
    await expect(connect(address, { serviceId: 'eni.min', key, tls: { ca } })).rejects.toThrow();
    await server.close();
  });
});
