/**
 * What must always hold, checked at every commit of a database and of the log. Numbers are those of the design's invariants;
 * the first, convergence, is in `converged.ts`, since it holds only when all has come to rest.
 */
import type { CanonicalRecord } from '../../core/canonical-record.ts';
import type { LogRecord } from '../../core/ports.ts';
import { readLetter } from '../../processors/dead-letter.ts';
import { comparePositions } from '../../core/position.ts';
import { KEY_TAKEN } from '../../sinks/engine/row-identity.ts';
import { KEY_PARKED } from '../../sinks/engine/record.ts';
import type { LaterRecords } from '../../sinks/engine/reduce.ts';
import { isTruncation, scopedTruncateKey, TRUNCATE_KEY } from '../../core/truncation.ts';
import type { Commit, MemoryDatabase, Row, RowChange } from '../support/memory-database.ts';
import type { MemorySession } from '../support/memory-session.ts';
import { type CapturedEvent, identityOf, type RawValue } from './capture.ts';
import { Letters, type Origin, originOf } from './letters.ts';
import type { LogTransaction, SimLog } from './log.ts';
import { canonicalOf, columnsOf, isGarbled, isRefused } from './records.ts';
import { Sums } from './sums.ts';
import type { WorkerSettings } from './workers.ts';
import { ENTITIES, folds, HOPS_MAX, SHARED, type SystemName, TARGETS } from './systems.ts';

export type InvariantName =
  | '1 convergence'
  | '1 liveness'
  | '2 no regression'
  | '2 nothing skipped'
  | '2 rows are the record of their position'
  | '3 sums'
  | '2 a row goes with its own key'
  | '3 fenced writers change nothing'
  | '3 one effect for each input'
  | '4 no echo'
  | '4 hops are bounded'
  | '5 order per key'
  | '6 only bad records are set aside'
  | '6 a bad record stops one key'
  | 'no worker fails';

export class Violation extends Error {
  readonly invariant: InvariantName;
  constructor(invariant: InvariantName, text: string) {
    super(`invariant ${invariant}: ${text}`);
    this.invariant = invariant;
  }
}

/** Of the one table of the simulation that is truncated. */
const SCOPED_TRUNCATIONS = [scopedTruncateKey({ system: 'erp', table: 'erp.prod' })];

/** `before`: what its partition holds in front of it. */
type Refused = {
  readonly record: CanonicalRecord;
  readonly isAsked: boolean;
  readonly before: readonly CanonicalRecord[];
};

export class Invariants {
  readonly #log: SimLog;
  readonly #databases: ReadonlyMap<SystemName, MemoryDatabase>;
  readonly #laterRecords: { readonly inSinks: LaterRecords; readonly inStages: LaterRecords };
  readonly sums: Sums;
  readonly letters = new Letters();
  readonly #applied = new Map<string, Uint8Array>();
  readonly #ordered = new Map<string, { highest: Buffer; readonly seen: Set<string> }>();
  /** Identities of what the stages have set aside at some time. */
  readonly #onceSetAside = new Set<string>();
  readonly #captured = new Map<string, CapturedEvent>();
  /** Canonical records by entity, key and position. */
  readonly #records = new Map<string, CanonicalRecord>();
  violation: Violation | undefined;

  constructor(log: SimLog, databases: ReadonlyMap<SystemName, MemoryDatabase>, { sink, processor }: WorkerSettings) {
    this.#log = log;
    this.#databases = databases;
    this.#laterRecords = { inSinks: sink.laterRecords, inStages: processor.laterRecords };
    this.sums = new Sums(databases);
  }

  fail(invariant: InvariantName, text: string): void {
    this.violation ??= new Violation(invariant, text);
  }

  // ---- databases ---------------------------------------------------------------------------------------------------

  committed(system: SystemName, commit: Commit): void {
    const { session, changes } = commit;
    const wrong = this.sums.committed(system, commit);
    if (wrong !== undefined) this.fail('3 sums', wrong);
    if (session.owner === undefined) return;
    for (const [index, change] of changes.entries()) {
      switch (change.table) {
        case 'seam.applied':
          this.#ledgerNeverFalls(system, change);
          this.#writerHoldsTheLease(system, session, change);
          this.#waitsBehindTheRefused(system, change);
          this.#rowIsTheRecord(system, index, changes);
          break;
        case 'seam.sink_offset':
          if (change.before?.epoch === change.after?.epoch) this.#offsetCovers(system, session.owner, change);
          break;
        case 'rep.prod':
          this.#rowGoesWithItsKey(system, change, changes);
          break;
        case 'seam.parked':
          if (change.after !== undefined) this.#parkedWithReason(system, change.after);
      }
    }
  }

  /** 2: also where the ledger forgets, or the row is deleted. */
  #ledgerNeverFalls(system: SystemName, { after, before }: RowChange): void {
    const row = after ?? before;
    const name = `${system}\n${row?.entity}\n${row?.key}`;
    const highest = this.#applied.get(name);
    const position = after?.position as Uint8Array | undefined;
    if (position === undefined) this.fail('2 no regression', `${named(system, row)}: its ledger row is gone`);
    else if (highest !== undefined && comparePositions(position, highest) < 0) {
      this.fail('2 no regression', `${named(system, row)}: its position fell`);
    } else this.#applied.set(name, position);
  }

  /** 3: who lost the partition writes nothing for it, unless its owner is kept from writing. A truncation goes through all keys. */
  #writerHoldsTheLease(system: SystemName, session: MemorySession, { after }: RowChange): void {
    if (after === undefined || isTruncation(after.key as string)) return;
    if (this.#isOfTruncation(after)) return;
    const topic = ENTITIES[after.entity as keyof typeof ENTITIES].topic;
    const { number } = this.#log.partitionOf(topic, after.key as string);
    const database = this.#databaseOf(system);
    const holder = database.row('seam.sink_offset', topic, number)?.owner;
    if (holder === session.owner || database.isHeldBy(session, 'seam.sink_offset', topic, number)) return;
    this.fail('3 fenced writers change nothing', `${named(system, after)}: ${session.owner} wrote, ${holder} holds it`);
  }

  /** 2: a row written with a ledger entry is what the record at that position says. */
  #rowIsTheRecord(system: SystemName, index: number, changes: readonly RowChange[]): void {
    const ledger = changes[index]?.after;
    if (ledger === undefined || isTruncation(ledger.key as string)) return;
    const { entity, key, position, deleted } = ledger;
    const isAgain = ({ table, after }: RowChange) =>
      table === 'seam.applied' && after?.entity === entity && after?.key === key;
    if (changes.slice(index + 1).some(isAgain)) return;
    const table = TARGETS[system].tables.find((one) => one.entity === entity);
    if (table === undefined) return;
    const record = this.#records.get(recordName(entity as string, key as string, position as Uint8Array));
    if (record === undefined) {
      if (deleted !== true)
        this.fail('2 rows are the record of their position', `${named(system, ledger)}: no such record`);
      return;
    }
    if (record.value === null || record.meta.system === system) return;
    const wanted = columnsOf(table, record.value);
    const keyNames = Object.keys(table.key);
    const written = changes.findLast(
      ({ table: name, asked }) =>
        name === table.table && asked !== undefined && keyNames.every((column) => asked[column] === wanted[column]),
    );
    for (const [name, column] of Object.entries(table.columns)) {
      const isCarried = column.fields.every((field) => !record.meta.absent.includes(field));
      if (written?.asked === undefined || !isCarried || written.asked[name] === wanted[name]) continue;
      if (changes.some(({ asked }) => asked?.[name] === wanted[name])) continue;
      this.fail('2 rows are the record of their position', `${named(system, ledger)}: another ${name} was written`);
    }
  }

  /** 2: what lies behind the offset is in the ledger, or set aside. */
  #offsetCovers(system: SystemName, owner: string, { before, after }: RowChange): void {
    if (before === undefined || after === undefined) return;
    const topic = after.topic as string;
    const partition = this.#log.partition({ topic, partition: after.partition as number });
    if (after.owner !== owner) {
      this.fail('3 fenced writers change nothing', `${system} ${topic}: ${owner} moved the offset of ${after.owner}`);
    }
    const from = before.next_offset as bigint;
    for (const one of partition.between(from, after.next_offset as bigint)) {
      const record = canonicalOf(topic, one);
      if (!this.#isAccounted(system, record)) {
        this.fail('2 nothing skipped', `${system} ${record.entity} "${record.key}" at ${topic} ${one.offset}`);
      }
    }
  }

  #isAccounted(system: SystemName, { entity, key, meta }: CanonicalRecord): boolean {
    const database = this.#databaseOf(system);
    for (const name of [key, TRUNCATE_KEY, scopedTruncateKey(meta)]) {
      const ledger = database.row('seam.applied', entity, name);
      if (ledger !== undefined && comparePositions(ledger.position as Uint8Array, meta.position) >= 0) return true;
    }
    return database.rows('seam.parked').some((row) => row.entity === entity && row.key === key);
  }

  /** 6: an outage, a crash or a neighbour is no reason; nor is there anything to wait behind but a bad record of the key. */
  #parkedWithReason(system: SystemName, parked: Row): void {
    if (parked.reason_code === KEY_TAKEN && this.#hasRival(system, parked)) return;
    const { topic, partition, offset } = parked;
    const isLeft = this.#databaseOf(system).row('seam.parked', topic ?? null, partition ?? null, offset ?? null);
    if (isLeft === undefined || parked.next_try_at !== null) return;
    const record = this.#recordOf(parked);
    if (record === undefined || this.#isBad(system, record)) return;
    const isBehind = parked.reason_code === KEY_PARKED && this.#refusedOf(system, parked).length > 0;
    if (isBehind && this.#laterRecords.inSinks !== 'take-over') return;
    this.fail('6 only bad records are set aside', `${named(system, parked)}: ${parked.reason_code}`);
  }

  /** Another key, which the reporting store takes for this one, lives there. */
  #hasRival(system: SystemName, { key }: Row): boolean {
    const { rows } = this.#databaseOf(system).table('seam.applied');
    return [...rows.values()].some(
      (row) =>
        row.entity === 'product' &&
        row.key !== key &&
        row.deleted === false &&
        folds(row.key ?? null) === folds(key ?? null),
    );
  }

  /** 2: a row goes with its own key: where two keys are one row, the other's record never takes it away. */
  #rowGoesWithItsKey(system: SystemName, { before, after }: RowChange, changes: readonly RowChange[]): void {
    if (before === undefined || after !== undefined) return;
    const isOwn = changes.some(
      ({ table, after: row }) => table === 'seam.applied' && row?.key === before.no && row?.deleted === true,
    );
    if (!isOwn) this.fail('2 a row goes with its own key', `${system} product "${before.no}"`);
  }

  /** 6: nothing newer of its key lands while a refused record is set aside, unless somebody asked for all of them. */
  #waitsBehindTheRefused(system: SystemName, { after, before }: RowChange): void {
    if (this.#laterRecords.inSinks !== 'wait' || after === undefined || isTruncation(after.key as string)) return;
    const position = after.position as Uint8Array;
    if (before !== undefined && comparePositions(position, before.position as Uint8Array) === 0) return;
    if (this.#isTruncated(system, after)) return;
    for (const { record, isAsked, before: earlier } of this.#refusedOf(system, after)) {
      if (isAsked || comparePositions(position, record.meta.position) <= 0) continue;
      // an older change that was sent again behind it, in one batch with it
      if (earlier.some((one) => one.key === after.key && comparePositions(one.meta.position, position) === 0)) continue;
      this.fail('6 a bad record stops one key', `${named(system, after)}: a newer record passed a refused one`);
    }
  }

  #isTruncated(system: SystemName, { entity, position }: Row): boolean {
    const truncations = this.#databaseOf(system)
      .rows('seam.applied')
      .filter((row) => row.entity === entity && isTruncation(row.key as string));
    return truncations.some((row) => comparePositions(position as Uint8Array, row.position as Uint8Array) <= 0);
  }

  /** Was it written by a truncation, which goes through all keys? */
  #isOfTruncation({ entity, position }: Row): boolean {
    const keys = [TRUNCATE_KEY, ...SCOPED_TRUNCATIONS];
    return keys.some((key) => this.#records.has(recordName(entity as string, key, position as Uint8Array)));
  }

  /** Of one key: set aside, and bad themselves. */
  #refusedOf(system: SystemName, { entity, key }: Row): Refused[] {
    const { rows } = this.#databaseOf(system).table('seam.parked');
    if (rows.size === 0) return [];
    const ofKey = [...rows.values()].filter(
      (row) => row.entity === entity && row.key === key && row.reason_code !== KEY_PARKED,
    );
    return ofKey.flatMap((row) => {
      const record = this.#recordOf(row);
      const isBad = record !== undefined && this.#isBad(system, record);
      return isBad ? [{ record, isAsked: row.next_try_at !== null, before: this.#recordsBefore(row) }] : [];
    });
  }

  #recordsBefore({ topic, partition, offset }: Row): CanonicalRecord[] {
    const place = this.#log.partition({ topic: topic as string, partition: partition as number });
    return place.between(0n, offset as bigint).map((one) => canonicalOf(place.topic, one));
  }

  #recordOf({ topic, partition, offset }: Row): CanonicalRecord | undefined {
    const place = this.#log.partition({ topic: topic as string, partition: partition as number });
    const [one] = place.between(offset as bigint, (offset as bigint) + 1n);
    return one === undefined ? undefined : canonicalOf(place.topic, one);
  }

  #isBad(system: SystemName, record: CanonicalRecord): boolean {
    return isRefused(system, record) || isGarbled(record);
  }

  #databaseOf(system: SystemName): MemoryDatabase {
    return this.#databases.get(system) as MemoryDatabase;
  }

  // ---- the log -----------------------------------------------------------------------------------------------------

  produced(transaction: LogTransaction, before: ReadonlyMap<string, bigint>): void {
    const inputs = this.#inputsOf(transaction, before);
    for (const { partition, record } of transaction.entries) this.#noteLetter(partition.topic, record);
    for (const { partition, record } of transaction.entries) {
      if (!partition.topic.startsWith('canonical.')) continue;
      const canonical = canonicalOf(partition.topic, record);
      this.#records.set(recordName(canonical.entity, canonical.key, canonical.meta.position), canonical);
      const identity = identityOf(canonical.meta.system, canonical.meta.position);
      const place = `${canonical.entity} "${canonical.key}" by ${transaction.id}`;
      const origins = inputs.get(identity);
      if (origins === undefined)
        this.fail('3 one effect for each input', `${place}: not of the inputs committed with it`);
      if (canonical.meta.hops > HOPS_MAX) this.fail('4 hops are bounded', `${place}: ${canonical.meta.hops} hops`);
      this.#isNoEcho(canonical, identity, place);
      // a record that takes the place of the refused ones releases them in the same transaction
      const isWaiting = this.#laterRecords.inStages !== 'take-over';
      if (isWaiting) this.#passesNoLetter(origins, place);
      // where later records take over, one that is asked for again comes late
      if (isWaiting || !origins?.some(({ isRedriven }) => isRedriven))
        this.#keepsOrder(partition.topic, partition.number, canonical, identity);
    }
  }

  #noteLetter(topic: string, record: LogRecord): void {
    this.letters.note(topic, record);
    const place = topic.startsWith('dead-letter.') ? readLetter(record)?.place : undefined;
    if (place === undefined) return;
    const [origin] = this.#log.partition(place).between(place.offset, place.offset + 1n);
    const identity = origin === undefined ? undefined : this.#identityOf(place.topic, origin);
    if (identity !== undefined) this.#onceSetAside.add(identity);
  }

  /** 3: the inputs that the group has behind it by this transaction and by none before; those of a lane by their own place. */
  #inputsOf({ offsets, id }: LogTransaction, before: ReadonlyMap<string, bigint>): ReadonlyMap<string, Origin[]> {
    const inputs = new Map<string, Origin[]>();
    for (const { topic, partition, offset } of offsets) {
      const from = before.get(`${topic}/${partition}`) ?? 0n;
      if (offset < from) this.fail('3 one effect for each input', `${id}: the offset of ${topic} fell`);
      for (const record of this.#log.partition({ topic, partition }).between(from, offset)) {
        const origin = originOf(topic, partition, record);
        const identity = this.#identityOf(origin.place.topic, record);
        if (identity !== undefined) inputs.set(identity, [...(inputs.get(identity) ?? []), origin]);
      }
    }
    return inputs;
  }

  #identityOf(topic: string, record: LogRecord): string | undefined {
    if (topic.startsWith('canonical.')) {
      const { meta } = canonicalOf(topic, record);
      return identityOf(meta.system, meta.position);
    }
    const event = (record.value as unknown as RawValue | null)?.event;
    if (event === undefined) return undefined;
    this.#captured.set(`${event.identity}${event.rowKey}`, event);
    return event.identity;
  }

  /** 6: of one event that came twice, the one that may land will do. */
  #passesNoLetter(origins: readonly Origin[] = [], place: string): void {
    const barriers = origins.map((origin) => this.letters.barrierOf(origin));
    const [barrier] = barriers;
    if (barrier === undefined || barriers.includes(undefined)) return;
    this.fail(
      '6 a bad record stops one key',
      `${place}: passed the refused ${barrier.place.topic} ${barrier.place.offset}`,
    );
  }

  /** 4: what Seam wrote and no trigger changed. */
  #isNoEcho({ entity, key }: CanonicalRecord, identity: string, place: string): void {
    if (entity !== SHARED) return;
    const event = this.#captured.get(`${identity}${key}`);
    if (event?.change === undefined || !event.isOurs) return;
    if (event.change.asked?.tel === event.change.after?.tel) this.fail('4 no echo', place);
  }

  /**
   * 5: re-deliveries aside, positions of one key only rise. A product's key moves between rows, which have no order. What was set
   * aside, for its hops as they were then, may land when it is delivered again.
   */
  #keepsOrder(topic: string, partition: number, { entity, key, meta }: CanonicalRecord, identity: string): void {
    // a row read by a snapshot is older than every change of a shared entity, and may be news only when it is read again
    if (entity === 'product' || (entity === SHARED && meta.operation === 'r')) return;
    const name = `${topic}/${partition}\n${meta.system}\n${key}`;
    const place = Buffer.from(meta.position).subarray(-20);
    const text = place.toString('latin1');
    const known = this.#ordered.get(name);
    if (known === undefined) this.#ordered.set(name, { highest: place, seen: new Set([text]) });
    else if (!known.seen.has(text)) {
      if (comparePositions(place, known.highest) < 0 && !this.#onceSetAside.has(identity))
        this.fail(
          '5 order per key',
          `${topic} "${key}": ${place.toString('hex')} after ${known.highest.toString('hex')}, hops ${meta.hops}, operation ${meta.operation}`,
        );
      known.seen.add(text);
      if (comparePositions(place, known.highest) > 0) known.highest = place;
    }
  }
}

function recordName(entity: string, key: string, position: Uint8Array): string {
  return `${entity}\n${key}\n${Buffer.from(position).toString('latin1')}`;
}

function named(system: string, row: Row | undefined): string {
  return `${system} ${row?.entity} "${row?.key}"`;
}
