// Starts a worker, gives it a task, takes the result.
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { listen } from 'eipc';

const key = randomBytes(32);
const services = { worker: { key, capabilities: [] } };
const server = await listen(`shm:worker-${process.pid}`, { services, router: null });

const script = fileURLToPath(new URL('child.js', import.meta.url));
const child = spawn(process.execPath, [script, ...server.addresses], { stdio: ['pipe', 'inherit', 'inherit'] });
child.stdin.end(key); // not an argument and not the environment: others can read those

for await (const worker of server) {
  const result = await worker.request({ type: 'tool_request', payload: { value: 12 } });
  console.log('the square is', result.payload.square);
  break;
}
await server.close();
