/** Endpoints and servers belong to the thread that made them: here is what says so when one is sent to another. */

/**
 * An object that `postMessage` and `structuredClone` refuse with a sentence. Without this they would copy what can be copied and stop,
 * or not, at a private part.
 */
export abstract class ThreadBound {
  /** @internal */
  protected constructor(noun: string) {
    // Cloning reads own enumerable properties in the order of their making. A base class makes the first one.
    Object.defineProperty(this, 'boundToThread', {
      enumerable: true,
      get: () => {
        throw new TypeError(
          `${noun} belongs to the thread that made it and cannot be sent or copied to another: connect or listen in that thread, and send addresses and messages`,
        );
      },
    });
  }
}
