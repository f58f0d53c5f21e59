/**
 * An attacker without a key. Told `{ target, bytes, count, isSlow, isTls }`, it holds `count` connections and opens another for each that is closed.
 * A slow one sends a byte now and then, the others send all they have at once, if told so inside TLS. Over TCP the connections come from many loopback
 * addresses.
 */
import { connect } from 'node:net';
import { connect as connectTls } from 'node:tls';

/** Milliseconds between two bytes of a slow connection. */
const DRIP = 500;
/** Milliseconds before another try, where the server's queue of connections is full. */
const RETRY = 10;

process.on('message', ({ target, bytes, count, isSlow, isTls }) => {
  const payload = Buffer.from(bytes, 'hex');
  const sockets = new Set();
  let opened = 0;

  const open = () => {
    opened += 1;
    const from = `127.0.${1 + (opened % 250)}.${1 + (opened % 199)}`;
    const options = 'port' in target ? { ...target, localAddress: from } : target;
    const socket = isTls ? connectTls({ ...options, rejectUnauthorized: false }) : connect(options);
    sockets.add(socket);
    socket.on(isTls ? 'secureConnect' : 'connect', () => {
      socket.write(isSlow ? payload.subarray(0, 1) : payload);
    });
    socket.on('data', () => {});
    socket.on('error', () => {});
    socket.on('close', () => {
      sockets.delete(socket);
      if (socket.bytesWritten === 0) setTimeout(open, RETRY);
      else setImmediate(open);
    });
  };
  const drip = () => {
    for (const socket of sockets) {
      const at = socket.bytesWritten;
      if (at > 0 && socket.writable) socket.write(payload.subarray(at, at + 1));
    }
  };

  for (let n = 0; n < count; n += 1) open();
  if (isSlow) setInterval(drip, DRIP);
  process.send?.({ opened });
});
process.on('disconnect', () => process.exit());
