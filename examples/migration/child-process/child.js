// Works until the parent closes, or has died.
import { buffer } from 'node:stream/consumers';
import { connect, Router } from 'eipc';

const key = await buffer(process.stdin);
const router = new Router().handle('tool_request', ({ payload }) => ({ square: payload.value ** 2 }));
const parent = await connect(process.argv[2], { serviceId: 'worker', key, router });
await parent.closed;
