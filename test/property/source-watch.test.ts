/** What the watch of the sources makes of the answers of their checks: whom it halts, for how long, and what it logs. */
import { setImmediate as turn } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import type { Sighting } from '../../core/condition.ts';
import { TransientError } from '../../core/errors.ts';
import type { Clock } from '../../core/ports.ts';
import type { Answer } from '../../ops/sources/checks/run.ts';
import { SourceWatch } from '../../ops/sources/watch.ts';

const tableHalt: Sighting = {
  id: 'TABLE_NOT_PUBLISHED',
  severity: 'halt',
  object: { kind: 'table', system: 'shop', table: 'shop.item' },
  text: 'not published',
  next: 'publish it',
};
const sourceHalt: Sighting = { ...tableHalt, id: 'SOURCE_LOG_LOST', object: { kind: 'source', system: 'shop' } };
const warning: Sighting = { ...tableHalt, id: 'WORTH_A_LOOK', severity: 'warning' };
const every = new Set([tableHalt.id, sourceHalt.id, warning.id]);
const answer = (...found: Sighting[]): Answer => ({ found, asked: every, lossy: new Map(), failed: new Map() });
const away = new TransientError({ code: 'DATABASE_UNREACHABLE', message: 'away', hint: 'start it' });

let stop = () => {};
afterEach(() => stop());

/** `say` is one more look at the source, 5 s after the one before. */
async function watching() {
  let nowMs = 0;
  let next: Answer | Error | null = answer();
  let wake = () => {};
  const clock: Clock = {
    nowMs: () => nowMs,
    elapsedMs: () => nowMs,
    pause: (_, signal) =>
      new Promise((resolve) => {
        wake = resolve;
        signal?.addEventListener('abort', () => resolve());
      }),
  };
  const look = async () => {
    if (next instanceof Error) throw next;
    return next;
  };
  const watch = new SourceWatch({ names: ['shop'], look, clock });
  stop = () => watch.stop();
  await turn();
  const say = async (what: Answer | Error | null) => {
    next = what;
    nowMs += 5_000;
    wake();
    await turn();
  };
  const halted = (table: string) => watch.faultOf('shop', table)?.code;
  return { watch, say, halted };
}

describe('the watch of the sources', () => {
  it('halts the table that a condition is about, and no other', async () => {
    const { say, halted, watch } = await watching();
    await say(answer(tableHalt));
    expect([halted('shop.item'), halted('shop.sale')]).toEqual(['TABLE_NOT_PUBLISHED', undefined]);
    expect(watch.faultOf('other', 'shop.item')).toBeUndefined();
    expect(watch.faultOf('shop', 'shop.item')).toMatchObject({
      hint: 'publish it',
      where: 'source shop, table shop.item',
    });
  });

  it('halts every table for a condition of the source, and none for a warning', async () => {
    const { say, halted } = await watching();
    await say(answer(warning));
    expect(halted('shop.item')).toBeUndefined();
    await say(answer(sourceHalt));
    expect([halted('shop.item'), halted('shop.sale')]).toEqual(['SOURCE_LOG_LOST', 'SOURCE_LOG_LOST']);
  });

  it('ends with the first look that finds nothing, and says that the table may go on', async () => {
    const { say, halted, watch } = await watching();
    await say(answer(tableHalt));
    await say(answer({ ...tableHalt, text: 'still not published' }));
    expect(watch.sightings()).toMatchObject([{ text: 'still not published' }]);
    await say(answer());
    expect(halted('shop.item')).toBeUndefined();
    await expect(watch.recovered).rejects.toMatchObject({ code: 'SOURCE_RECOVERED' });
  });

  it('keeps a condition whose check could not be asked', async () => {
    const { say, halted } = await watching();
    await say(answer(tableHalt));
    await say(away);
    await say({
      found: [],
      asked: new Set(),
      lossy: new Map(),
      failed: new Map([[tableHalt.id, { error: away, severity: 'halt' }]]),
    });
    expect(halted('shop.item')).toBe('TABLE_NOT_PUBLISHED');
    await say(answer());
    expect(halted('shop.item')).toBeUndefined();
  });

  it('shows a source that is away for a minute, and halts nothing for it', async () => {
    const { say, halted, watch } = await watching();
    for (let looks = 0; looks < 12; looks += 1) await say(away);
    expect(watch.sightings()).toEqual([]);
    await say(away);
    expect(watch.sightings()).toMatchObject([
      { id: 'SOURCE_NOT_CHECKED', severity: 'warning', next: 'start it', object: { system: 'shop' } },
    ]);
    expect(halted('shop.item')).toBeUndefined();
    await say(answer());
    expect(watch.sightings()).toEqual([]);
  });

  it('halts a source that refuses a check for a minute, and lets it go on when it can be checked', async () => {
    const { say, halted, watch } = await watching();
    const refused = Object.assign(new Error('permission denied for view pg_publication'), { code: '42501' });
    const failed = new Map([[tableHalt.id, { error: refused, severity: 'halt' as const }]]);
    for (let looks = 0; looks < 13; looks += 1) await say({ found: [], asked: new Set(), lossy: new Map(), failed });
    expect(halted('shop.sale')).toBe('SOURCE_NOT_CHECKED');
    expect(watch.sightings()[0]?.text).toContain('TABLE_NOT_PUBLISHED could not be checked: permission denied');
    await say(answer());
    expect(halted('shop.sale')).toBeUndefined();
    await expect(watch.recovered).rejects.toMatchObject({ code: 'SOURCE_RECOVERED' });
  });

  it('does not halt for a warning that cannot be checked', async () => {
    const { say, halted, watch } = await watching();
    const refused = Object.assign(new Error('permission denied'), { sqlState: '42000' });
    const failed = new Map([[warning.id, { error: refused, severity: 'warning' as const }]]);
    for (let looks = 0; looks < 13; looks += 1) await say({ ...answer(), failed });
    expect(watch.sightings()).toMatchObject([{ id: 'SOURCE_NOT_CHECKED', severity: 'warning' }]);
    expect(halted('shop.item')).toBeUndefined();
  });
});
