/**
 * Deliberate bugs: each breaks production code in one place, and the simulation has to notice. `find` occurs once in its file;
 * where code moves on and it no longer does, the list has to follow.
 */
import { readFileSync } from 'node:fs';
import { registerHooks } from 'node:module';
import { fileURLToPath } from 'node:url';

export type Bug = {
  readonly name: string;
  readonly file: string;
  readonly find: string;
  readonly replace: string;
};

const REDUCE = 'sinks/engine/reduce.ts';
const TASK = 'processors/task.ts';

export const BUGS: readonly Bug[] = [
  {
    name: 'guard-off',
    file: REDUCE,
    find: 'ledger !== undefined && comparePositions(position, ledger.position) < 0) stale',
    replace: 'ledger === null) stale',
  },
  {
    name: 'first-record-after-the-offset-left-out',
    file: 'sinks/engine/queue.ts',
    find: 'offset >= nextOffset',
    replace: 'offset > nextOffset',
  },
  {
    name: 'ledger-committed-on-its-own',
    file: 'sinks/engine/execute.ts',
    find: 'await writeLedger(context, plan.ledger);',
    replace: 'await writeLedger(context, plan.ledger); await context.session.commit(); await context.session.begin();',
  },
  {
    name: 'offset-committed-before-the-rows',
    file: 'sinks/engine/writer.ts',
    find: "await hooks.at('after-lock');",
    replace: 'await saveOffsets(session, side, work.advances); await session.commit(); await session.begin();',
  },
  {
    name: 'tombstone-forgotten',
    file: 'sinks/engine/execute.ts',
    find: 'await writeEchoes(context, plan);',
    replace: `await writeEchoes(context, plan);
      const gone = plan.ledger.filter(({ deleted }) => deleted);
      if (gone.length > 0) await context.session.remove(context.side.applied, ledgerKey(gone));`,
  },
  {
    // the epoch and the offset each keep most zombies out: only without both do they write
    name: 'lease-not-checked',
    file: 'sinks/engine/leases.ts',
    find: `BigInt(values[1] as bigint) !== lease.epoch) throw leaseLost(lease);
    const stored = BigInt(values[0] as bigint);
    if (stored === nextOffset && nextOffset !== lease.nextOffset) done += 1;
    else if (stored !== lease.nextOffset) throw leaseLost(lease);`,
    replace: `nextOffset < 0n) throw leaseLost(lease);
    const stored = BigInt(values[0] as bigint);
    if (stored === nextOffset && nextOffset !== lease.nextOffset) done += 1;`,
  },
  {
    name: 'one-transactional-id-for-all-tasks',
    file: TASK,
    // biome-ignore lint/suspicious/noTemplateCurlyInString: it is code
    find: '`${parts.stage.groupId}-${parts.number}`',
    replace: 'parts.stage.groupId',
  },
  {
    name: 'no-fencing',
    file: TASK,
    // biome-ignore lint/suspicious/noTemplateCurlyInString: it is code
    find: '`${parts.stage.groupId}-${parts.number}`',
    // biome-ignore lint/suspicious/noTemplateCurlyInString: it is code
    replace: '`${parts.stage.groupId}-${parts.number}-${parts.clock.nowMs()}`',
  },
  {
    name: 'output-without-input-offsets',
    file: TASK,
    find: 'return { records, groupId: stage.groupId, offsets };',
    replace: 'return { records, groupId: stage.groupId, offsets: offsets.slice(1) };',
  },
  {
    name: 'commit-repeated-after-a-lost-answer',
    file: TASK,
    find: 'if (isOurs && offsets.every(({ topic, offset }) => stands(topic) === offset)) return true;',
    replace: 'if (isOurs) return false;',
  },
  {
    name: 'echo-hash-ignored',
    file: 'processors/echo.ts',
    find: 'if (entry?.hashes.has(hash) || isCurrent(entry, hash)) return ECHO;',
    replace: 'if (entry !== undefined || hash === hash) return ECHO;',
  },
  {
    name: 'echo-tag-ignored',
    file: 'core/debezium.ts',
    find: "isTagged: operation !== 'r' && isTagged(source)",
    replace: "isTagged: operation === 'none' && isTagged(source)",
  },
  {
    name: 'hop-limit-missing',
    file: 'processors/canonicalize.ts',
    find: 'if (hops > this.#parts.hopsMax)',
    replace: 'if (hops < 0)',
  },
  {
    name: 'hops-of-all-that-was-ever-written',
    file: 'processors/echo.ts',
    find: '(entry?.current?.hops ?? 0) + 1',
    replace: 'Math.max(0, ...(entry?.hashes.values() ?? [])) + 1',
  },
  {
    name: 'hops-not-added-up',
    file: 'processors/echo.ts',
    find: '(entry?.current?.hops ?? 0) + 1',
    replace: '1',
  },
  {
    name: 'key-change-without-its-delete',
    file: 'processors/map-event.ts',
    find: "if (oldKey !== undefined && oldKey !== key) this.#gone(compiled, oldKey, 'd');",
    replace: '',
  },
  {
    name: 'later-records-of-a-parked-key-let-through',
    file: REDUCE,
    find: "const isBehind = row !== 'ledger-only' && isBehindUnreadable(request.unreadable, fresh, index);",
    replace: 'const isBehind = false;',
  },
  {
    name: 'newer-records-pass-a-refused-one',
    file: REDUCE,
    find: "if (laterRecords === 'take-over') return { own, stale, fresh, waiting: [], passed: [] };",
    replace: 'if (laterRecords !== undefined) return { own, stale, fresh, waiting: [], passed: [] };',
  },
  {
    name: 'healed-by-a-record-that-lacks-fields',
    file: REDUCE,
    find: 'one.record.meta.absent.length === 0 &&',
    replace: 'one !== undefined &&',
  },
  {
    name: 'records-behind-a-refused-one-forgotten',
    file: 'sinks/engine/plan.ts',
    find: 'for (const one of outcome.waiting) this.setAside(parkBehind(one, table.entity.entity, key));',
    replace: '',
  },
  {
    name: 'unreadable-record-stops-nothing',
    file: REDUCE,
    find: 'unreadable.some(({ place }) => isBefore(place, one.place)));',
    replace: 'unreadable.length < 0);',
  },
  {
    name: 'followers-of-a-refused-record-let-through',
    file: 'processors/slice-work.ts',
    find: 'const stay = isWaiting ? withoutFollowers(kept, transformed.rejected) : kept;',
    replace: 'const stay = kept;',
  },
  {
    name: 'what-is-set-aside-forgotten-at-a-restart',
    file: 'processors/runtime.ts',
    find: 'for (const record of records) this.#tasks.get(partition)?.parked.load(record);',
    replace: '',
  },
  {
    name: 'record-behind-tried-before-the-refused-one',
    file: 'processors/lane-slice.ts',
    find: 'return oldest !== undefined && oldest.place.offset < place.offset;',
    replace: 'return false;',
  },
  {
    name: 'unreadable-records-of-the-batch-forgotten',
    file: 'sinks/engine/transaction.ts',
    find: 'if (arrived.length === 0) return parked.unreadable;',
    replace: 'if (arrived.length >= 0) return parked.unreadable;',
  },
  {
    name: 'older-records-stand-in-for-an-unreadable-one',
    file: REDUCE,
    find: 'fresh.slice(0, index + 1).filter((one) => before.every(({ place }) => isBefore(place, one.place)))',
    replace: 'fresh.slice(0, index + 1)',
  },
  {
    name: 'parked-records-retried-out-of-order',
    file: REDUCE,
    find: 'ledger !== undefined && comparePositions(position, ledger.position) < 0) stale',
    replace:
      'candidate.parked === undefined && ledger !== undefined && comparePositions(position, ledger.position) < 0) stale',
  },
  {
    name: 'neighbours-of-a-refused-record-set-aside',
    file: 'sinks/engine/transaction.ts',
    find: 'if (items.length === 1) return setAside(context, items[0] as Item, error);',
    replace: `if (items.length >= 1) {
      const all: Written[] = [];
      for (const item of items) if (item.kind !== 'undecodable') all.push(await setAside(context, item, error));
      return joined(all);
    }`,
  },
  {
    name: 'sum-added-without-the-difference',
    file: 'sinks/engine/effect-plan.ts',
    find: 'this.#add(effect, share.groupKey, share.groupText, subtractDecimals(amount, prior.amount));',
    replace: 'this.#add(effect, share.groupKey, share.groupText, amount);',
  },
  {
    name: 'sum-not-taken-back-at-a-delete',
    file: 'sinks/engine/effect-plan.ts',
    find: 'this.#gone.push({ effect: name, key });',
    replace: 'this.#groups.clear(); this.#gone.push({ effect: name, key });',
  },
  {
    name: 'first-version-of-a-key-kept',
    file: REDUCE,
    find: 'for (let index = fresh.length - 1; index >= 0; index -= 1)',
    replace: 'for (let index = 0; index < fresh.length; index += 1)',
  },
  {
    name: 'newer-edit-not-written-back',
    file: REDUCE,
    find: 'isOwnOfShared(table, candidate) && ledger?.seamWrote !== true',
    replace: 'isOwnOfShared(table, candidate)',
  },
  {
    name: 'equal-row-taken-for-the-targets-own',
    file: 'sinks/engine/execute.ts',
    find: 'changed === 0 && !isLikeOurs',
    replace: 'changed === 0',
  },
  {
    name: 'winner-not-restored',
    file: REDUCE,
    find: 'isOverwritten ? { decided: restored(request) } : {}',
    replace: '{}',
  },
  {
    name: 'deletion-not-restored',
    file: 'sinks/engine/plan.ts',
    find: 'ledger?.deleted === true && !isThereAgain',
    replace: 'ledger?.deleted === true',
  },
  {
    name: 'log-not-told-the-time-of-the-cause',
    file: 'sinks/engine/execute.ts',
    find: 'await nameTime(context, plan.ledger);',
    replace: '',
  },
  {
    name: 'beginning-of-the-second-taken',
    file: 'core/debezium.ts',
    find: 'commitTimeUs - (commitTimeUs % SECOND_US) + SECOND_US - 1n',
    replace: 'commitTimeUs - (commitTimeUs % SECOND_US)',
  },
  {
    name: 'rows-back-after-a-truncation',
    file: REDUCE,
    find: '!isTruncation(key) && isTruncated(truncations, candidate.record.meta)',
    replace: 'isTruncation(key) && isTruncated(truncations, candidate.record.meta)',
  },
  {
    name: 'truncation-takes-the-keys-of-another-table',
    file: 'core/truncation.ts',
    find: "return row.table === undefined ? 'unknown' : 'left';",
    replace: "return 'taken';",
  },
  {
    name: 'second-key-of-a-row-takes-it',
    file: 'sinks/engine/row-identity.ts',
    find: 'if (rivals.some(({ rival }) => living.has(rival))) throw taken(table);',
    replace: '',
  },
  {
    name: 'row-deleted-with-another-key',
    file: 'sinks/engine/plan.ts',
    find: 'if (this.#state.foreign.has(entityKey(entity, key))) return;',
    replace: '',
  },
  {
    name: 'straight-way-past-what-is-set-aside',
    file: 'sinks/engine/straight.ts',
    find: 'if (found.length > 0) return true;',
    replace: '',
  },
  {
    name: 'straight-way-without-the-guard',
    file: 'sinks/engine/straight.ts',
    find: 'if (written !== countOf(ledger.key)) throw notAllNews();',
    replace: 'void written;',
  },
];

const root = new URL('../../', import.meta.url);

/** How often the text that a bug replaces is there; anything but once means that the list has to follow the code. */
export function placesOf({ file, find }: Bug): number {
  return readFileSync(new URL(file, root), 'utf8').split(find).length - 1;
}

/** Breaks the file while it is loaded: nothing is written. To be called before production code is imported. */
export function breakCode(name: string): void {
  const bug = BUGS.find((one) => one.name === name);
  if (bug === undefined) throw new Error(`no bug is called "${name}": ${BUGS.map((one) => one.name).join(', ')}`);
  if (placesOf(bug) !== 1) throw new Error(`bug "${name}": its text is there ${placesOf(bug)} times in ${bug.file}`);
  const url = new URL(bug.file, root).href;
  registerHooks({
    load(address, context, nextLoad) {
      if (address !== url) return nextLoad(address, context);
      const source = readFileSync(fileURLToPath(address), 'utf8').replace(bug.find, () => bug.replace);
      return { format: 'module-typescript', source, shortCircuit: true };
    },
  });
}
