/**
 * Makes a promise with its two ends outside. `Promise.withResolvers` begins with Node 22.
 *
 * @template T
 * @returns {{ promise: Promise<T>, resolve: (value?: T) => void, reject: (reason: Error) => void }}
 */
export function withResolvers() {
  let resolve;
  let reject;
  const promise = new Promise((fulfil, refuse) => {
    resolve = fulfil;
    reject = refuse;
  });
  return { promise, resolve, reject };
}
