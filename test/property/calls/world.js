/** The native objects that are alive, in every state they can be in, and what calls of native code reach for while it runs. */
import { closeSync } from 'node:fs';

/** Objects of one class that are kept. */
const KEPT = 6;
/** How deep calls from inside of calls go. */
const DEPTH = 3;

const RULES = { anyTimestamp: false, anySource: false, sessionIdWhenPresent: false, ackHandshake: false, window: 128 };

export class World {
  /** @type {any} */
  addon;
  /** @type {Map<string, unknown[]>} */
  #alive = new Map();
  /** Bytes that native code returned: frames, tags, hellos. */
  #bytes = [new Uint8Array(64)];
  #shared = new ArrayBuffer(4_096);
  #depth = 0;
  #next = 0;
  #turns = 0;

  /** @param {any} addon */
  constructor(addon) {
    this.addon = addon;
    this.renew();
  }

  /** Numbers that come in turn, so that a run is the same each time. */
  #turn() {
    this.#next = (Math.imul(this.#next, 1_103_515_245) + 12_345) >>> 0;
    return this.#next >>> 8;
  }

  anyClass() {
    const classes = Object.values(this.addon).filter(isClass);
    return classes[this.#turn() % classes.length];
  }

  /** @param {string} name */
  one(name) {
    const alive = this.#alive.get(name) ?? [];
    return alive[this.#turn() % alive.length];
  }

  any() {
    const names = [...this.#alive.keys()];
    return this.one(names[this.#turn() % names.length]);
  }

  bytes() {
    return this.#bytes[this.#turn() % this.#bytes.length];
  }

  overlapping() {
    return new Uint8Array(this.#shared, (this.#turn() % 8) * 256, 1_024);
  }

  /** A message as `push` and `seal` take it: head, place of the sealed frame's head, binary meta, payload, room for the tag. */
  record() {
    const record = new Uint8Array(44 + 24 + 40 + 32);
    const view = new DataView(record.buffer);
    view.setUint32(0, record.length, true);
    view.setUint32(4, 24, true);
    view.setUint32(8, 40, true);
    record.set([0x69, 1, 1, 0], 12);
    record[44] = 1;
    return record;
  }

  /** Keeps what a call returned. @param {unknown} result */
  keep(result) {
    if (result instanceof Uint8Array) this.#bytes[this.#turn() % 16] = result;
    if (typeof result !== 'object' || result === null) return;
    const name = result.constructor?.name;
    if (this.addon[name] !== undefined) this.#put(name, result);
    else if ('push' in result) this.#put('ShmCalls', result);
    else if ('seal' in result) this.#put('StreamCalls', result);
    else if (result.frame instanceof Uint8Array) this.#bytes[this.#turn() % 16] = result.frame;
  }

  /** @param {string} name @param {unknown} object */
  #put(name, object) {
    const alive = this.#alive.get(name) ?? [];
    this.#alive.set(name, alive);
    if (alive.length < KEPT) alive.push(object);
    else alive[this.#turn() % KEPT] = object;
  }

  /** A call of native code from inside one: getters of options and callbacks do it. */
  reenter() {
    if (this.#depth >= DEPTH) return;
    this.#depth += 1;
    try {
      const session = this.one(this.#turn() % 2 === 0 ? 'ShmSession' : 'StreamSession');
      const calls = this.one(this.#turn() % 2 === 0 ? 'ShmCalls' : 'StreamCalls');
      const acts = [
        () => session?.close(0),
        () => session?.destroy?.(0),
        () => session?.handleTimeout(),
        () => this.one('UnixSocket')?.close(),
        () => this.one('UnixListener')?.close(),
        () => this.one('Poller').turn(),
        () => calls?.receive(new Uint8Array(65_536), 0, new Uint32Array(512), 15, 0),
        () => calls?.push?.(this.record(), 140),
        () => structuredClone(this.#shared, { transfer: [this.#shared] }),
        () => globalThis.gc?.(),
        () => this.renew(),
      ];
      acts[this.#turn() % acts.length]?.();
      if (this.#shared.detached ?? this.#shared.byteLength === 0) this.#shared = new ArrayBuffer(4_096);
    } catch {
      // Whatever it is, it is an exception.
    } finally {
      this.#depth -= 1;
    }
  }

  /** Fresh objects of every class, in the states that only good calls lead to. */
  renew() {
    const { NativeKey, NativeServer, NativeDeframer, NativeReplayWindow, Poller } = this.addon;
    const { NativeAuditChain, NativeAuditVerifier } = this.addon;
    const key = NativeKey.fromBytes(new Uint8Array(32).fill(0xe1), false);
    const service = { id: 'eni.test', keys: [key], capabilities: ['ui:control'] };
    const legacy = { id: 'v1.test', keys: [NativeKey.forV1(new Uint8Array(32).fill(0xf1))], capabilities: [] };
    const server = new NativeServer({
      serverId: 'eai',
      services: [service],
      v1: { services: [legacy], macOnly: false, ttlMs: 0, rules: RULES },
      ttlMs: 0,
      handshakeTimeout: 5_000,
      allowPskOnly: true,
    });
    const address = (sharedMemory) => server.address({ suites: [1, 3, 2], sharedMemory, tls: false });
    if (this.#alive.get('Poller') === undefined) this.keep(new Poller(true, () => {}));
    if (this.#alive.get('Poller')?.length === 1) this.keep(new Poller(false, () => {}));
    for (const made of [key, server, address(false), address(true), new NativeDeframer(), new NativeReplayWindow(128)])
      this.keep(made);
    for (const made of [NativeAuditChain.begin(new Uint8Array(32), key), new NativeAuditVerifier(key)]) this.keep(made);
    this.#streams(address(false), key);
    this.#segments(address(true), key);
  }

  /** Two ends of a stream: a handshake that goes as far as it gets this time. */
  #streams(address, key) {
    const { StreamSession } = this.addon;
    const client = StreamSession.client(options(key));
    const server = StreamSession.server(address);
    const ends = [client, server].map((session) => ({ session, calls: session.calls() }));
    for (let step = this.#turn() % 6; step > 0; step -= 1) {
      for (const [from, to] of [ends, [...ends].reverse()]) {
        const sent = from.session.takeTransmit();
        if (sent === null) continue;
        this.keep(sent);
        to.calls.receive(sent, 0, new Uint8Array(65_536), 0, new Uint32Array(512));
      }
    }
    for (const { session, calls } of ends) for (const made of [session, calls]) this.keep(made);
    const mac = { isServer: false, ownId: 'eni.test', key, sessionId: '', capabilities: [], rules: RULES };
    this.keep(StreamSession.v1Mac(mac));
  }

  /** Two ends of a segment over real sockets; the event loop carries their handshake on. */
  #segments(address, key) {
    const { ShmSession, UnixListener, UnixSocket } = this.addon;
    const poller = this.#alive.get('Poller')?.[0];
    const path = `pair-${this.#turns++ % 4}`;
    let listener;
    try {
      listener = new UnixListener(poller, path, 0o600, () => {});
    } catch {
      return; // the last one of that name is not collected yet
    }
    const sockets = [UnixSocket.connect(path), listener.accept(), UnixSocket.connect(path), listener.accept()];
    listener.close();
    const [ours, theirs, spare, other] = sockets;
    /** @type {any[]} */
    const sessions = [];
    const receives = [];
    const onEvent = (at) => () => receives[at]?.(new Uint8Array(65_536), 0, new Uint32Array(512), 15);
    sessions.push(ShmSession.server(poller, theirs, address, 1, onEvent(0)));
    sessions.push(ShmSession.client(poller, ours, options(key), 1, onEvent(1)));
    for (const session of sessions) {
      session.setReferenced(false);
      const calls = session.calls();
      receives.push(calls.receive);
      this.keep(session);
      this.keep(calls);
    }
    for (const made of [listener, spare, other]) this.keep(made);
  }

  /** Lets go of a descriptor that was given away. @param {unknown} result */
  giveBack(result) {
    if (typeof result === 'number') closeSync(result);
  }
}

/** @param {unknown} key */
function options(key) {
  return {
    serviceId: 'eni.test',
    key,
    suites: [1, 2, 3],
    handshakeTimeout: 5_000,
    maxSegment: 2 ** 26,
    pskOnly: false,
  };
}

/** @param {unknown} value */
function isClass(value) {
  return (
    typeof value === 'function' &&
    Object.getOwnPropertyNames(value.prototype ?? {}).length > 0 &&
    /^[A-Z]/.test(value.name)
  );
}
