/** A process of its own: waits for the owner of a stack to end, then takes the stack down. Started by `watch.ts`. */
import { setTimeout as sleep } from 'node:timers/promises';
import { isAlive } from './process-identity.ts';
import { stopStack } from './stack.ts';

const pollMs = 500;

const [stateDirectory, ownerPid, startToken] = process.argv.slice(2);
if (stateDirectory === undefined || ownerPid === undefined || startToken === undefined) {
  throw new Error('usage: watchdog.ts <state directory> <owner pid> <owner start token>');
}
const owner = { pid: Number(ownerPid), startToken };
while (await isAlive(owner)) await sleep(pollMs);
await stopStack({ stateDirectory, removeData: true });
