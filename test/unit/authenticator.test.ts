/** `Authenticator`: who logs in, who does not, and when a session ends, for programs that carry frames themselves. */
import { createHmac, randomBytes } from 'node:crypto';
import { inspect } from 'node:util';
import { afterEach, describe, expect, it, vi } from 'vitest';

import { Authenticator, ClientEndpoint, Key, Keyring, memory, ServerEndpoint, sign } from '../../src/index.js';
import type { AuditEntry, AuthenticatedSession, AuthenticatorOptions, Challenge } from '../../src/index.js';

const KEYS = { 'nia.min': randomBytes(32), 'nia.framework': randomBytes(32), stranger: randomBytes(32) };
const services = {
  'nia.min': { key: KEYS['nia.min'], capabilities: ['ui:control'] },
  'nia.framework': { key: KEYS['nia.framework'], capabilities: ['ui:control', 'device:write'] },
};

afterEach(() => {
  vi.useRealTimers();
});

/** As a client of the original answers. */
function answer({ nonce }: Challenge, key: Uint8Array = KEYS['nia.min']): string {
  return createHmac('sha256', key).update(Buffer.from(nonce, 'hex')).digest('hex');
}

function authenticator(options: Partial<AuthenticatorOptions> = {}): Authenticator {
  return new Authenticator({ services, ...options });
}

const refused = expect.objectContaining({
  code: 'EIPC_HANDSHAKE_FAILED',
  message: 'the login failed; check service id and key',
}) as unknown;
const unknown = expect.objectContaining({ code: 'EIPC_IDENTITY' }) as unknown;

describe('an Authenticator', () => {
  it('opens a session for who answers its challenge, and knows it by its token', () => {
    const made = authenticator();
    const challenge = made.createChallenge('nia.min');
    expect(challenge).toEqual({ serviceId: 'nia.min', nonce: expect.stringMatching(/^[0-9a-f]{64}$/) as unknown });
    const session = made.verifyResponse(challenge, answer(challenge));
    expect(session.serviceId).toBe('nia.min');
    expect([...session.capabilities]).toEqual(['ui:control']);
    expect(session.token).toMatch(/^[0-9a-f]{64}$/);
    expect(made.validateSession(session.token)).toBe(session);
    expect(made.sessions()).toEqual([
      {
        id: session.id,
        serviceId: 'nia.min',
        capabilities: ['ui:control'],
        openedAt: session.openedAt,
        endsAt: expect.any(Date) as unknown,
      },
    ]);
    expect(made.sessions('nia.framework')).toEqual([]);
    // Bytes are as good as digits.
    const other = made.createChallenge('nia.min');
    made.verifyResponse(other, sign(Key.fromBytes(KEYS['nia.min']), Buffer.from(other.nonce, 'hex')));
  });

  it('shows its token in no list, and in nothing that is printed', () => {
    const made = authenticator();
    const challenge = made.createChallenge('nia.min');
    const session = made.verifyResponse(challenge, answer(challenge));
    const shown = `${inspect(session, { showHidden: true })}${JSON.stringify(session)}${JSON.stringify(made.sessions())}`;
    expect(shown).toContain(session.id);
    expect(shown).not.toContain(session.token.slice(0, 8));
  });

  it('gives each service its own identity: no key opens the session of another, of 1 000 tries', () => {
    // The attacker holds the key of one service and says that it is another. In the original one secret was everybody's.
    const made = authenticator();
    for (let at = 0; at < 500; at += 1) {
      for (const [as, key] of [
        ['nia.framework', KEYS['nia.min']],
        ['nobody', KEYS['nia.min']],
      ] as const) {
        const challenge = made.createChallenge(as);
        expect(() => made.verifyResponse(challenge, answer(challenge, key))).toThrow(refused);
      }
    }
    expect(made.sessions()).toEqual([]);
    expect(() => new Authenticator({ secret: 'x', services } as never)).toThrow(/no option 'secret': under one secret/);
    const same = { ...services, other: { key: KEYS['nia.min'], capabilities: [] } };
    expect(() => authenticator({ services: same })).toThrow(/have the same key/);
  });

  it('tells who may not log in nothing about why, and its own program everything', () => {
    const entries: AuditEntry[] = [];
    const audit = { log: (entry: AuditEntry) => Promise.resolve(void entries.push(entry)) };
    const made = authenticator({ audit });
    const causes = [
      ['nobody', KEYS['nia.min'], 'no service has this id'],
      ['nia.min', KEYS.stranger, 'the response is wrong'],
    ] as const;
    for (const [id, key, why] of causes) {
      const challenge = made.createChallenge(id);
      expect(() => made.verifyResponse(challenge, answer(challenge, key))).toThrow(
        expect.objectContaining({ message: 'the login failed; check service id and key', cause: new Error(why) }),
      );
    }
    expect(entries.map(({ peer, action, decision, result }) => [peer, action, decision, result])).toEqual(
      causes.map(([id, , why]) => ['', 'session.refuse', 'deny', `EIPC_HANDSHAKE_FAILED: a login as '${id}': ${why}`]),
    );
  });

  it('has a challenge for each login: a hundred at once succeed, and strangers burn nobody’s', () => {
    // The attacker asks for challenges of the same service in between, and answers them wrongly.
    const made = authenticator();
    const challenges = Array.from({ length: 100 }, () => made.createChallenge('nia.min'));
    for (let at = 0; at < 100; at += 1) {
      const stranger = made.createChallenge('nia.min');
      expect(() => made.verifyResponse(stranger, answer(stranger, KEYS.stranger))).toThrow(refused);
    }
    for (const challenge of challenges.reverse()) made.verifyResponse(challenge, answer(challenge));
    expect(made.sessions()).toHaveLength(100);
    expect(new Set(challenges.map(({ nonce }) => nonce)).size).toBe(100);
  });

  it('takes an answer once, for its own challenge, from where it was made', () => {
    // The attacker recorded a good login.
    const made = authenticator();
    const challenge = made.createChallenge('nia.min');
    const response = answer(challenge);
    made.verifyResponse(challenge, response);
    expect(() => made.verifyResponse(challenge, response)).toThrow(refused);
    expect(() => made.verifyResponse(made.createChallenge('nia.min'), response)).toThrow(refused);
    expect(() => made.verifyResponse({ ...challenge }, response)).toThrow(refused);
    const elsewhere = authenticator().createChallenge('nia.min');
    expect(() => made.verifyResponse(elsewhere, answer(elsewhere))).toThrow(refused);
    // A wrong answer uses it up as well.
    const tried = made.createChallenge('nia.min');
    expect(() => made.verifyResponse(tried, answer(tried, KEYS.stranger))).toThrow(refused);
    expect(() => made.verifyResponse(tried, answer(tried))).toThrow(refused);
    expect(made.sessions()).toHaveLength(1);
  });

  it('takes anything that is no tag for a wrong answer', () => {
    const made = authenticator();
    for (const wrong of ['', 'zz'.repeat(32), new Uint8Array(0), new Uint8Array(31), new Uint8Array(33), 7, undefined])
      expect(() => made.verifyResponse(made.createChallenge('nia.min'), wrong as string)).toThrow(refused);
  });

  it('asks for an answer itself, and waits ten seconds for it', async () => {
    const made = authenticator();
    const session = await made.authenticate('nia.min', (challenge) => Promise.resolve(answer(challenge)));
    expect(made.validateSession(session.token)).toBe(session);
    await expect(made.authenticate('nia.min', () => Promise.reject(new Error('gone')))).rejects.toThrow('gone');
    vi.useFakeTimers();
    const silent = expect(made.authenticate('nia.min', () => new Promise(() => {}))).rejects.toMatchObject({
      code: 'EIPC_TIMEOUT',
    });
    await vi.advanceTimersByTimeAsync(10_000);
    await silent;
    expect(made.sessions()).toHaveLength(1);
  });

  it('takes no answer that comes after ten seconds', () => {
    vi.useFakeTimers();
    const made = authenticator();
    const [early, late] = [made.createChallenge('nia.min'), made.createChallenge('nia.min')];
    vi.advanceTimersByTime(10_000);
    made.verifyResponse(early, answer(early));
    vi.advanceTimersByTime(1);
    expect(() => made.verifyResponse(late, answer(late))).toThrow(refused);
  });

  it('never asks for the tag of what could be a frame', () => {
    const made = authenticator();
    for (let at = 0; at < 1_000; at += 1) expect(made.createChallenge('nia.min').nonce).not.toMatch(/^45495043/);
  });

  it('has as many sessions as there may be, and room again when some are over', { timeout: 120_000 }, () => {
    // The attacker holds a key and logs in for ever.
    vi.useFakeTimers({ toFake: ['performance'] });
    const made = authenticator({ sessionTtl: 60_000 });
    const login = (): AuthenticatedSession => {
      const challenge = made.createChallenge('nia.min');
      return made.verifyResponse(challenge, answer(challenge));
    };
    for (let at = 0; at < 65_535; at += 1) login();
    const last = login();
    expect(login).toThrow(expect.objectContaining({ code: 'EIPC_BACKPRESSURE' }));
    expect(made.validateSession(last.token)).toBe(last);
    vi.advanceTimersByTime(60_000);
    login();
    expect(made.sessions()).toHaveLength(1);
    made.close();
  });

  it('refuses what it does not know', () => {
    for (const wrong of [undefined, null, 7, 'nia.min'])
      expect(() => authenticator().verifyResponse(wrong as never, '')).toThrow(/createChallenge/);
    for (const wrong of [undefined, null, 7])
      expect(() => authenticator({ services: wrong as never })).toThrow(TypeError);
    const withProtocols = { 'nia.min': { ...services['nia.min'], protocols: [2] } };
    expect(() => authenticator({ services: withProtocols })).toThrow(/no option 'protocols'/);
    expect(() => authenticator({ sessionTtl: 0 })).toThrow(RangeError);
    expect(() => authenticator({ audit: {} as never })).toThrow(TypeError);
    expect(() => authenticator().createChallenge(7 as never)).toThrow(TypeError);
  });
});

describe('a session of an Authenticator', () => {
  const login = (made: Authenticator, id: keyof typeof KEYS = 'nia.min') => {
    const challenge = made.createChallenge(id);
    return made.verifyResponse(challenge, answer(challenge, KEYS[id]));
  };

  it('is none for any other token', () => {
    // The attacker guesses.
    const made = authenticator();
    const { token, id } = login(made);
    for (const wrong of ['', id, token.toUpperCase(), token.slice(1), `${token}0`, undefined, [token]])
      if (wrong !== token) expect(() => made.validateSession(wrong as string)).toThrow(unknown);
  });

  it('ends when it is revoked, which closes its connection, and leaves the others alone', async () => {
    const entries: AuditEntry[] = [];
    const audit = { log: (entry: AuditEntry) => Promise.resolve(void entries.push(entry)) };
    const made = authenticator({ audit });
    const transport = memory();
    await transport.listen('memory:authenticator');
    try {
      const accepted = transport.accept();
      const key = Key.fromBytes(KEYS['nia.min'], { protocol: 1 });
      const client = new ClientEndpoint(await memory().dial('memory:authenticator'), { key, serviceId: 'nia.min' });
      const server = new ServerEndpoint(await accepted, { key, serviceId: 'nia.min' });
      const [session, other] = [login(made), login(made, 'nia.framework')];
      session.signal.addEventListener('abort', () => void server.close());
      await client.ping();
      expect(made.revokeSession(session.id)).toBe(true);
      expect(made.revokeSession(session.id)).toBe(false);
      expect(() => made.validateSession(session.token)).toThrow(unknown);
      expect(session.signal.reason).toMatchObject({ code: 'EIPC_REVOKED' });
      expect(session.left).toBe(0);
      expect((await client.closed).code).toBe('EIPC_CLOSED_BY_PEER');
      expect(made.validateSession(other.token)).toBe(other);
      expect(entries.map(({ action }) => action)).toEqual(['session.legacy', 'session.legacy', 'session.revoke']);
    } finally {
      await transport.close();
    }
  });

  it('ends when its time is over, by a clock that nobody can turn', () => {
    // The attacker turns the wall clock back, which in the original prolonged every session.
    vi.useFakeTimers();
    const made = authenticator({ sessionTtl: 60_000 });
    const session = login(made);
    vi.setSystemTime(Date.now() - 86_400_000);
    vi.advanceTimersByTime(59_000);
    expect(made.validateSession(session.token).left).toBe(1_000);
    vi.setSystemTime(Date.now() + 86_400_000);
    expect(made.validateSession(session.token).left).toBe(1_000);
    vi.setSystemTime(Date.now() - 2 * 86_400_000);
    vi.advanceTimersByTime(1_000);
    expect(() => made.validateSession(session.token)).toThrow(unknown);
    expect(session.signal.reason).toMatchObject({ code: 'EIPC_EXPIRED' });
    expect(made.sessions()).toEqual([]);
  });

  it('is forgotten when it is over, by itself and when asked to, and no other with it', () => {
    vi.useFakeTimers({ toFake: ['performance', 'Date'] });
    const made = authenticator({ sessionTtl: 60_000 });
    const first = login(made);
    vi.advanceTimersByTime(30_000);
    const second = login(made);
    expect(made.cleanupExpired()).toBe(0);
    vi.advanceTimersByTime(30_000);
    // No timer ran, and still the token is good no more.
    expect(() => made.validateSession(first.token)).toThrow(unknown);
    expect(made.cleanupExpired()).toBe(1);
    expect(first.signal.reason).toMatchObject({ code: 'EIPC_EXPIRED' });
    expect(made.validateSession(second.token)).toBe(second);
    vi.useRealTimers();
  });

  it('may do what its service may now', () => {
    const made = authenticator();
    const session = login(made);
    expect(made.grant('nia.min', 'device:read')).toBe(true);
    expect(made.revoke('nia.min', 'ui:control')).toBe(true);
    expect([...session.capabilities]).toEqual(['device:read']);
    expect(made.sessions()[0]?.capabilities).toEqual(['device:read']);
    expect(() => made.grant('nobody', 'device:read')).toThrow(/is no service here/);
  });

  it('ends with its key, where that is a keyring’s, and not with another', async () => {
    const keyring = new Keyring();
    await keyring.store('nia.min', KEYS['nia.min'], { protocol: 1 });
    const made = authenticator({ services: { 'nia.min': { key: keyring, capabilities: [] } } });
    const before = login(made);
    const next = randomBytes(32);
    await keyring.rotate('nia.min', { key: next, grace: 600_000 });
    const challenge = made.createChallenge('nia.min');
    const after = made.verifyResponse(challenge, answer(challenge, next));
    const [old] = keyring.list('nia.min');
    await keyring.revoke('nia.min', old?.id);
    expect(() => made.validateSession(before.token)).toThrow(unknown);
    expect(before.signal.reason).toMatchObject({ code: 'EIPC_REVOKED' });
    expect(made.validateSession(after.token)).toBe(after);
    expect(() => login(made)).toThrow(refused);
  });

  it('takes no key of a keyring that is for EIPC/2', async () => {
    const keyring = new Keyring();
    const made = authenticator({ services: { 'nia.min': { key: keyring, capabilities: [] } } });
    expect(() => login(made)).toThrow(refused);
    await keyring.store('nia.min', KEYS['nia.min'], { protocol: 2 });
    expect(() => login(made)).toThrow(refused);
  });

  it('ends with its Authenticator', async () => {
    const keyring = new Keyring();
    await keyring.store('nia.min', KEYS['nia.min'], { protocol: 1 });
    const made = authenticator({ services: { 'nia.min': { key: keyring, capabilities: [] } } });
    const session = login(made);
    made.close();
    made.close();
    expect(session.signal.reason).toMatchObject({ code: 'EIPC_CLOSED' });
    expect(() => made.validateSession(session.token)).toThrow(unknown);
    expect(() => login(made)).toThrow(refused);
    await keyring.revoke('nia.min');
  });
});
