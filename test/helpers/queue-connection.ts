/** A `Connection` of a user's own making: two ends that hand each other frames through queues of a given length. */
import type { Connection } from '../../src/index.js';

interface Pipe {
  readonly frames: Uint8Array[];
  isClosed: boolean;
  wake: () => void;
}

/** One end. A test may read what was sent, and hold it up. */
export class QueueConnection implements Connection {
  readonly remoteAddress: string;
  /** Every frame that was handed to `send`, not copied: who sends has to leave them alone. */
  readonly sent: Uint8Array[] = [];
  readonly #incoming: Pipe;
  readonly #outgoing: Pipe;
  readonly #most: number;
  closes = 0;

  private constructor(name: string, incoming: Pipe, outgoing: Pipe, most: number) {
    this.remoteAddress = `queue:${name}`;
    this.#incoming = incoming;
    this.#outgoing = outgoing;
    this.#most = most;
  }

  /** @param most - frames that may wait in each direction */
  static pair(most = 4): [QueueConnection, QueueConnection] {
    const pipe = (): Pipe => ({ frames: [], isClosed: false, wake: () => {} });
    const [there, back] = [pipe(), pipe()];
    return [new QueueConnection('server', back, there, most), new QueueConnection('client', there, back, most)];
  }

  async send(frame: Uint8Array): Promise<void> {
    this.sent.push(frame);
    const pipe = this.#outgoing;
    while (pipe.frames.length >= this.#most && !pipe.isClosed) await changed(pipe);
    if (pipe.isClosed) throw new Error('the queue is closed');
    pipe.frames.push(frame);
    wake(pipe);
  }

  async receive(): Promise<Uint8Array | undefined> {
    const pipe = this.#incoming;
    while (pipe.frames.length === 0 && !pipe.isClosed) await changed(pipe);
    const frame = pipe.frames.shift();
    wake(pipe);
    return frame;
  }

  close(): void {
    this.closes += 1;
    for (const pipe of [this.#incoming, this.#outgoing]) {
      pipe.isClosed = true;
      wake(pipe);
    }
  }
}

/** Waits until somebody put something into a pipe or took something out. */
function changed(pipe: Pipe): Promise<void> {
  const { wake: before } = pipe;
  return new Promise((resolve) => {
    pipe.wake = () => {
      before();
      resolve();
    };
  });
}

function wake(pipe: Pipe): void {
  const { wake: waiting } = pipe;
  pipe.wake = () => {};
  waiting();
}
