/**
 * For fault tests: lets a worker die, or hang, at a chosen point of its work, so that a crash between two steps is chosen and
 * not hoped for. The file is laid down by the test while the worker runs, and holds one line:
 *
 *     after-rows:3               SIGKILL at the third time that this point is reached
 *     commit-sent:1              SIGKILL when COMMIT has left and its answer has not come
 *     before-lock:1 block 12000  the event loop stands still for 12 s
 *
 * The file goes, and `<file>.fired` says what happened, before it happens. No option, no file: nothing is done.
 */
import { appendFileSync, existsSync, readFileSync, unlinkSync } from 'node:fs';

const ORDER = /^([a-z-]+):(\d+)(?: block (\d+))?\s*$/;

type Order = { readonly text: string; readonly point: string; readonly hit: number; readonly blockMs: number | null };

export class CrashPoints {
  readonly #file: string;
  #text = '';
  #hits = 0;

  constructor(file: string) {
    this.#file = file;
  }

  at(point: string): void {
    const order = this.#order();
    if (order === undefined || placeOf(order) !== point) return;
    this.#hits += 1;
    if (this.#hits < order.hit) return;
    this.#text = '';
    unlinkSync(this.#file);
    appendFileSync(`${this.#file}.fired`, `${order.text} in process ${process.pid}\n`);
    if (order.blockMs !== null) standStill(order.blockMs);
    // the commit is sent in this turn of the event loop, and its answer is read in the next one at the earliest
    else if (order.point === 'commit-sent') setImmediate(die);
    else die();
  }

  #order(): Order | undefined {
    if (!existsSync(this.#file)) return undefined;
    const text = readFileSync(this.#file, 'utf8').trim();
    const [, point, hit, blockMs] = ORDER.exec(text) ?? [];
    if (point === undefined) return undefined;
    if (text !== this.#text) this.#hits = 0;
    this.#text = text;
    return { text, point, hit: Number(hit), blockMs: blockMs === undefined ? null : Number(blockMs) };
  }
}

function placeOf({ point }: Order): string {
  return point === 'commit-sent' ? 'before-commit' : point;
}

function die(): void {
  process.kill(process.pid, 'SIGKILL');
}

function standStill(durationMs: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, durationMs);
}
