/**
 * What an attacker in the path does to one frame, as scripts for the proxy. Everything else goes on as it came.
 *
 * Which frame, and what is expected of it, is the caller's business.
 */
import { type Direction, OPPOSITE } from './frames.js';
import { forward, type Script } from './proxy.js';

/** One frame of a connection. */
export interface Target {
  readonly direction: Direction;
  /** From 0: 0 and 1 are the handshake's in both directions, data begins at 2. */
  readonly index: number;
}

/** Acts on one frame and forwards the others. */
export function at(target: Target, act: Script): Script {
  return (frame, tap) => {
    const isTarget = frame.direction === target.direction && frame.index === target.index;
    (isTarget ? act : forward)(frame, tap);
  };
}

/** Sends it changed, with a prefix that fits. */
export function edit(target: Target, change: (frame: Buffer) => Uint8Array): Script {
  return at(target, (frame, tap) => tap.send(frame.direction, change(frame.bytes)));
}

/** Sends it twice. */
export function replay(target: Target): Script {
  return at(target, (frame, tap) => {
    forward(frame, tap);
    forward(frame, tap);
  });
}

/** Keeps it. */
export function drop(target: Target): Script {
  return at(target, () => undefined);
}

/** Sends it behind the next one of its direction. */
export function swap(target: Target): Script {
  let held: Buffer | undefined;
  return (frame, tap) => {
    if (frame.direction === target.direction && frame.index === target.index) {
      held = frame.bytes;
      return;
    }
    forward(frame, tap);
    if (held === undefined || frame.direction !== target.direction) return;
    tap.send(target.direction, held);
    held = undefined;
  };
}

/** Sends it on, and back to where it came from. */
export function reflect(target: Target): Script {
  return at(target, (frame, tap) => {
    forward(frame, tap);
    tap.send(OPPOSITE[frame.direction], frame.bytes);
  });
}

/** Sends something of the attacker's in front of it. */
export function inject(target: Target, ...frames: readonly Uint8Array[]): Script {
  return at(target, (frame, tap) => {
    for (const foreign of frames) tap.send(frame.direction, foreign);
    forward(frame, tap);
  });
}
