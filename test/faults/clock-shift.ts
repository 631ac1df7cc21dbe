/**
 * Loaded before a worker (`node --import`): its wall clock is wrong by what the file beside this run says, in ms, and may jump
 * while it works. Timers and performance.now go on as they are, as on a machine whose clock is set.
 */
import { readFileSync } from 'node:fs';

const offsetFile = new URL(import.meta.url).searchParams.get('file') ?? '';
const READ_EVERY_MS = 100;
const trueDate = Date;
let offsetMs = 0;
let readAtMs = Number.NEGATIVE_INFINITY;

function shiftedNow(): number {
  if (performance.now() - readAtMs > READ_EVERY_MS) {
    readAtMs = performance.now();
    try {
      offsetMs = Number(readFileSync(offsetFile, 'utf8'));
    } catch {
      offsetMs = 0;
    }
  }
  return trueDate.now() + offsetMs;
}

globalThis.Date = new Proxy(trueDate, {
  construct: (target, args: unknown[], newTarget) =>
    Reflect.construct(target, args.length === 0 ? [shiftedNow()] : args, newTarget),
  apply: () => new trueDate(shiftedNow()).toString(),
  get: (target, name, receiver) => (name === 'now' ? shiftedNow : Reflect.get(target, name, receiver)),
});
