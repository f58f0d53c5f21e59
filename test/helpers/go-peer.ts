/** The Go program `peer` (test/interop/go/cmd/peer): a client and a server of v1 that does what a test says. */
import { spawn } from 'node:child_process';
import type { ChildProcessByStdio } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';

const ROOT = new URL('../../', import.meta.url);
export const GO_SOURCES = fileURLToPath(new URL('test/interop/go', ROOT));
/** Where the built programs are. */
export const GO_PROGRAMS = fileURLToPath(new URL('target/interop/bin', ROOT));

/** A Go that asks nobody for anything: no proxy, no other toolchain, no cache beyond target/. */
export function goEnvironment(): NodeJS.ProcessEnv {
  const cache = fileURLToPath(new URL('target/interop/cache', ROOT));
  // The programs are built in a clean folder or a work tree alike, so their version control says nothing about them.
  const flags = '-mod=mod -buildvcs=false';
  return { ...process.env, GOFLAGS: flags, GOPROXY: 'off', GOTOOLCHAIN: 'local', GOWORK: 'off', GOCACHE: cache };
}

/** The fields of a header, as the program takes and gives them. */
export interface GoHeader {
  readonly service_id: string;
  readonly session_id: string;
  readonly request_id: string;
  /** Decimal. */
  readonly sequence: string;
  readonly timestamp: string;
  readonly priority: number;
  readonly capability: string;
  readonly route: string;
  readonly payload_format: number;
}

/** What a frame has that its sender would not write; left out: what is right. */
interface GoLies {
  /** Instead of the header's JSON. */
  readonly header?: string | Uint8Array;
  readonly magic?: string;
  readonly version?: number;
  readonly flags?: number;
  readonly headerLength?: number;
  readonly payloadLength?: number;
  readonly key?: Uint8Array;
  readonly noTag?: boolean;
  readonly behind?: Uint8Array;
  readonly prefix?: number;
}

export interface GoSending extends Partial<GoHeader> {
  readonly payload?: Uint8Array | string;
  readonly lies?: GoLies;
}

export interface GoFrame {
  readonly type: string;
  readonly flags: number;
  readonly header: GoHeader;
  readonly payload: Buffer;
  /** Without the length in front. */
  readonly bytes: Buffer;
}

/** The two forms of a login. */
export interface GoLogin {
  readonly allAck?: boolean;
}

type Answer = Record<string, unknown>;

/** One process of it. Commands are done one after the other, each has one answer. */
export class GoPeer {
  readonly #process: ChildProcessByStdio<Writable, Readable, null>;
  readonly #waiting: { resolve: (answer: Answer) => void; reject: (error: Error) => void }[] = [];

  static start(): GoPeer {
    return new GoPeer(spawn(`${GO_PROGRAMS}/peer`, { stdio: ['pipe', 'pipe', 'inherit'] }));
  }

  private constructor(process: ChildProcessByStdio<Writable, Readable, null>) {
    this.#process = process;
    createInterface(process.stdout).on('line', (line) => {
      this.#waiting.shift()?.resolve(JSON.parse(line) as Answer);
    });
    process.once('exit', (code) => {
      for (const { reject } of this.#waiting.splice(0)) reject(new Error(`the Go peer ended with ${code}`));
    });
  }

  /** Has a command done; throws what the program refuses. */
  async do(command: string, fields: object = {}): Promise<Answer> {
    const answered = new Promise<Answer>((resolve, reject) => this.#waiting.push({ resolve, reject }));
    this.#process.stdin.write(`${JSON.stringify({ do: command, ...fields })}\n`);
    const answer = await answered;
    if (typeof answer['error'] === 'string') throw new Error(answer['error']);
    return answer;
  }

  async dial(address: string, key: Uint8Array, id: string): Promise<GoConnection> {
    const { connection } = await this.do('dial', { address, key: base64(key), id });
    return new GoConnection(this, Number(connection));
  }

  async listen(address: string): Promise<GoListener> {
    const answer = await this.do('listen', { address });
    return new GoListener(this, Number(answer['listener']), String(answer['address']));
  }

  /** What the implementation's tracker says to numbers that come in this order. */
  async replay(sequences: readonly number[]): Promise<readonly boolean[]> {
    return (await this.do('replay', { sequences }))['accepted'] as boolean[];
  }

  /** Ends the process. */
  async stop(): Promise<void> {
    const ended = new Promise((resolve) => this.#process.once('exit', resolve));
    this.#process.stdin.end();
    await ended;
  }
}

/** A place where the program listens. */
export class GoListener {
  readonly address: string;
  readonly #peer: GoPeer;
  readonly #number: number;

  constructor(peer: GoPeer, number: number, address: string) {
    this.#peer = peer;
    this.#number = number;
    this.address = address;
  }

  async accept(key: Uint8Array, id = 'eipc-server'): Promise<GoConnection> {
    const { connection } = await this.#peer.do('accept', { listener: this.#number, key: base64(key), id });
    return new GoConnection(this.#peer, Number(connection));
  }

  async close(): Promise<void> {
    await this.#peer.do('unlisten', { listener: this.#number });
  }
}

/** One connection of the program. */
export class GoConnection {
  readonly #peer: GoPeer;
  readonly #number: number;

  constructor(peer: GoPeer, number: number) {
    this.#peer = peer;
    this.#number = number;
  }

  /** Logs in as a client. */
  async logIn(login: GoLogin = {}): Promise<{ token: string; capabilities: readonly string[] | null }> {
    return (await this.#do('logIn', login)) as { token: string; capabilities: string[] | null };
  }

  /** Has a client log in. Returns who it is. */
  async letIn(capabilities: readonly string[] = [], login: GoLogin = {}): Promise<{ token: string; id: string }> {
    return (await this.#do('letIn', { capabilities, ...login })) as { token: string; id: string };
  }

  /** Sends a frame. Returns its bytes with the length in front. */
  async send(type: string, { payload = '', lies, ...header }: GoSending = {}): Promise<Buffer> {
    const frame = { type, header, payload: base64(payload), lies: lies && told(lies) };
    return Buffer.from(String((await this.#do('send', { frame }))['bytes']), 'base64');
  }

  async sendRaw(bytes: Uint8Array): Promise<void> {
    await this.#do('sendRaw', { bytes: base64(bytes) });
  }

  /** The next frame; undefined at the end of the stream. */
  async receive(): Promise<GoFrame | undefined> {
    const answer = await this.#do('receive');
    if (answer['ended'] === true) return undefined;
    const { type, flags, header, payload, bytes } = answer;
    const decoded = (text: unknown): Buffer => Buffer.from(typeof text === 'string' ? text : '', 'base64');
    return {
      type: String(type),
      flags: Number(flags),
      header: header as GoHeader,
      payload: decoded(payload),
      bytes: decoded(bytes),
    };
  }

  /** The next frame, which has to be of a type. */
  async expect(type: string): Promise<GoFrame> {
    const frame = await this.receive();
    if (frame?.type !== type) throw new Error(`${frame?.type ?? 'the end'} instead of ${type}`);
    return frame;
  }

  async close(): Promise<void> {
    await this.#do('close');
  }

  #do(command: string, fields: object = {}): Promise<Answer> {
    return this.#peer.do(command, { connection: this.#number, ...fields });
  }
}

/** As encoding/json reads bytes. */
function base64(bytes: Uint8Array | string): string {
  return Buffer.from(bytes as string).toString('base64');
}

function told({ header, key, behind, ...others }: GoLies): object {
  const bytes = Object.entries({ header, key, behind }).filter(([, value]) => value !== undefined);
  return { ...others, ...Object.fromEntries(bytes.map(([name, value]) => [name, base64(value ?? '')])) };
}
