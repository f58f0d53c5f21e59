/** A client of v1 with node:net and node:crypto only, from the text of docs/wire.md ("Challenge-response"); see independent-v1-frames.ts. */
import { connect } from 'node:net';
import type { NetConnectOpts } from 'node:net';

import { within } from './independent-client.js';
import { hmac } from './independent-preamble.js';
import { IndependentV1Connection, payloadOf } from './independent-v1-connection.js';
import type { V1Sending } from './independent-v1-connection.js';

export interface V1ClientOptions {
  readonly key: Uint8Array;
  readonly serviceId: string;
}

/** `unix:` and `tcp://` addresses as node:net wants them. */
export function netOptions(address: string): NetConnectOpts {
  const tcp = /^tcp:\/\/(?:\[(.+)\]|([^:]+)):(\d+)$/.exec(address);
  if (tcp === null) return { path: address.replace(/^unix:/, ''), allowHalfOpen: true };
  return { host: tcp[1] ?? tcp[2] ?? '', port: Number(tcp[3]), allowHalfOpen: true };
}

export class IndependentV1Client extends IndependentV1Connection {
  /** What the server said this client may do. */
  capabilities: unknown;

  /** Connects and sends nothing. */
  static async connect(address: string, { key, serviceId }: V1ClientOptions): Promise<IndependentV1Client> {
    const socket = connect(netOptions(address));
    await within(
      new Promise<void>((resolve, reject) => {
        socket.once('connect', resolve);
        socket.once('error', reject);
      }),
      'connect',
    );
    return new IndependentV1Client(socket, key, serviceId);
  }

  /** Connects and logs in. */
  static async open(address: string, options: V1ClientOptions): Promise<IndependentV1Client> {
    const client = await IndependentV1Client.connect(address, options);
    await client.login();
    return client;
  }

  /** The four steps. */
  async login(): Promise<void> {
    const nonce = await this.challenge();
    this.answer(nonce);
    const result = await this.expect('R');
    const { status, session_token: token, capabilities } = payloadOf(result);
    if (status !== 'ok' || typeof token !== 'string' || !/^[0-9a-f]{64}$/.test(token))
      throw new Error(result.payload.toString());
    this.token = token;
    this.capabilities = capabilities;
  }

  /** Says who this is and returns the server's nonce. */
  async challenge(lies: V1Sending = {}): Promise<Buffer> {
    this.send('A', { payload: { service_id: this.ownId }, request_id: 'login-1', ...lies });
    const challenge = await this.expect('H');
    const { status, nonce } = payloadOf(challenge);
    if (status !== 'challenge' || typeof nonce !== 'string' || !/^[0-9a-f]{64}$/.test(nonce))
      throw new Error(challenge.payload.toString());
    if (challenge.header.request_id !== 'login-1' || challenge.header.session_id !== '')
      throw new Error(`a challenge for somebody else: ${JSON.stringify(challenge.header.request_id)}`);
    return Buffer.from(nonce, 'hex');
  }

  /** Answers a nonce. */
  answer(nonce: Uint8Array, lies: V1Sending = {}): void {
    const response = hmac(this.key, nonce).toString('hex');
    this.send('R', { payload: { service_id: this.ownId, response }, request_id: 'login-2', ...lies });
  }
}
