/**
 * Stands between a client and a server on any stream transport, passes bytes on in pieces of any size, and cuts the connection where it is
 * told to. It has no key.
 */
import type { Address } from '../../src/transport/address.js';
import { parseAddress, requireSupported } from '../../src/transport/address.js';
import type { ByteStream } from '../../src/transport/byte-stream.js';
import type { RawConnection } from '../../src/transport/raw-connection.js';
import { openAcceptor, openConnection, streamOf } from '../../src/transport/open.js';

export type Direction = 'c2s' | 's2c';

/** What the relay does to the bytes of one direction. */
export interface RelayShape {
  /** Length of the next piece, given how many bytes there are. Default: all. */
  readonly cut?: (available: number, direction: Direction) => number;
}

/** A relay to one address. */
export class Relay {
  readonly address: string;
  /** Bytes passed on so far. */
  readonly passed = { c2s: 0, s2c: 0 };
  /** Bytes after which both connections end, by direction; changed while it runs. */
  readonly stopAfter = { c2s: Infinity, s2c: Infinity };
  readonly #shape: RelayShape;
  readonly #streams: ByteStream[] = [];
  #stop: () => void = () => {};

  private constructor(address: string, shape: RelayShape) {
    this.address = address;
    this.#shape = shape;
  }

  /** Listens at `from`, a fresh address, for connections to `to`. Of TLS it passes on the records, as anybody on the way can. */
  static async listen(from: string, to: string, shape: RelayShape = {}): Promise<Relay> {
    const target = requireSupported(parseAddress(beneathTls(to)));
    const made: { relay?: Relay } = {};
    const acceptor = await openAcceptor(
      requireSupported(parseAddress(beneathTls(from))),
      (connection) => void made.relay?.join(connection, target),
      (error) => {
        throw error;
      },
    );
    const relay = new Relay(acceptor.address.replace(/^\w+/, from.split(':')[0] ?? ''), shape);
    made.relay = relay;
    relay.#stop = () => acceptor.close();
    return relay;
  }

  /** Ends every connection, without a goodbye of either peer. */
  cut(): void {
    for (const stream of this.#streams) stream.destroy();
  }

  close(): Promise<void> {
    this.cut();
    this.#stop();
    return Promise.resolve();
  }

  private async join(connection: RawConnection, target: Address): Promise<void> {
    const client = streamOf(connection);
    this.#streams.push(client);
    let server;
    try {
      server = streamOf(await openConnection(target, 5_000, undefined));
    } catch {
      // The server is gone: so is whoever wanted to reach it.
      client.destroy();
      return;
    }
    this.#streams.push(server);
    this.#pass('c2s', client, server);
    this.#pass('s2c', server, client);
  }

  #pass(direction: Direction, from: ByteStream, to: ByteStream): void {
    let rest = new Uint8Array(0);
    let hasEnded = false;
    const next = (): void => {
      if (rest.length === 0) {
        if (hasEnded) to.endWriting();
        else from.resume();
        return;
      }
      const left = this.stopAfter[direction] - this.passed[direction];
      if (left <= 0) {
        // What was passed on before still arrives.
        from.end();
        to.end();
        return;
      }
      const wanted = this.#shape.cut?.(rest.length, direction) ?? rest.length;
      const piece = rest.subarray(0, Math.max(1, Math.min(wanted, rest.length, left)));
      rest = rest.subarray(piece.length);
      this.passed[direction] += piece.length;
      // A turn of the loop between two pieces lets the other end read the first before the second is there.
      to.write(piece, () => setImmediate(next));
    };
    from.start({
      read: (chunk) => {
        rest = Uint8Array.from(chunk);
        next();
        return false;
      },
      drained: () => {},
      ended: () => {
        if (hasEnded) return;
        hasEnded = true;
        // The other half may still be read: in v1 the end of one is a goodbye.
        if (rest.length === 0) to.endWriting();
      },
    });
  }
}

/** Returns the address of the TCP that a `tls://` address is carried by; any other as it is. */
export function beneathTls(address: string): string {
  return address.replace(/^tls:/, 'tcp:');
}
