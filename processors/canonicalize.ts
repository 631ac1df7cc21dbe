/**
 * The first stage: raw change events → canonical records. Nearly every record goes its whole way at once: read, map, write. Where
 * the source's database is to be asked, it is asked once for all records of a slice: for assigned ids before the first is
 * mapped, and for echoes before the first that may be one is written, with all behind it, so that none overtakes another.
 */
import { canonicalHash } from '../core/canonical-hash.ts';
import type { RecordMeta } from '../core/canonical-record.ts';
import type { ChangeEvent, Row } from '../core/change-event.ts';
import { epochOf, toChangeEvent } from '../core/debezium.ts';
import { ContractError, RecordError } from '../core/errors.ts';
import type { Lookups, Refusal } from '../core/mapping.ts';
import type { LogRecord, LogSlice, OutputRecord } from '../core/ports.ts';
import { comparePositions, type Position, sharedStamp } from '../core/position.ts';
import { isTruncation } from '../core/truncation.ts';
import { canonicalClaims } from './canonical-claims.ts';
import type { Codecs } from './codecs.ts';
import type { CompiledEntity, CompiledTable } from './compile-mapping.ts';
import { Counter } from './counter.ts';
import {
  DELETED_HASH,
  type EchoLedger,
  type IdentityLookup,
  judge,
  type LedgerEntry,
  type LedgerRequest,
  ledgerKey,
} from './echo.ts';
import { oversizeOf } from './oversize.ts';
import { type Mapped, mapEvent } from './map-event.ts';
import type { SaidAgain } from './said-again.ts';
import type { Rejected, Stage, Transformed } from './stage.ts';
import { sweeper } from './sweep.ts';
import { checkKeyless, TableSchemas } from './table-schema.ts';
import { traceIdOf } from './trace.ts';
import { isWholeRow, nullsHidden } from './untrusted-columns.ts';

export type CanonicalizeParts = {
  readonly groupId: string;
  /** By raw topic; a topic that has no table here belongs to a captured table that nobody mapped. */
  readonly tables: ReadonlyMap<string, CompiledTable>;
  readonly topics: readonly string[];
  readonly codecs: Codecs;
  readonly ledger: EchoLedger;
  readonly identities: IdentityLookup;
  /** By system and entity: fields that the system's target writes and holds. */
  readonly bidirectional: ReadonlyMap<string, ReadonlyMap<string, readonly string[]>>;
  /** Partitions of the canonical topics: a truncation goes to all. */
  readonly partitionCount: (topic: string) => number;
  readonly epochs: Readonly<Record<string, number>>;
  readonly hopsMax: number;
  /** Left out: a record that hides NULLs always stops its topic. */
  readonly saidAgain?: SaidAgain | undefined;
  /** Why this table's topic must stay where it is now; undefined: its source can be read whole. */
  readonly faultOf?: ((system: string, table: string) => ContractError | undefined) | undefined;
  /** Where the last complete reading of this table began: what is older is covered by it, and passed over if it can't be read. */
  readonly readAgainAt?: ((system: string, table: string) => Position | undefined) | undefined;
};

export const CANONICALIZE = 'canonicalize';

export function canonicalizeStage(parts: CanonicalizeParts): Stage {
  const schemas = new TableSchemas(parts.codecs);
  return {
    name: CANONICALIZE,
    groupId: parts.groupId,
    inputs: parts.topics,
    async transform(slice) {
      const table = parts.tables.get(slice.topic);
      if (table === undefined) throw unmapped();
      const fault = parts.faultOf?.(table.system, table.table);
      if (fault !== undefined) throw fault;
      const work = new SliceWork(parts, table, slice, schemas);
      return work.run();
    },
    claims: (slice) => canonicalClaims(parts, parts.tables.get(slice.topic), slice),
    sweep: sweeper(parts),
  };
}

type Read = { readonly record: LogRecord; readonly event: ChangeEvent; readonly keyRow: Row | null };
type Said = { readonly read: Read; readonly mapped: Mapped; readonly question: Question | undefined };
/** Asked of a record that may be an echo. `isWritten`: a target of this system writes the entity, so the ledger knows. */
type Question = { readonly isWritten: boolean; readonly hash: string };

class SliceWork {
  readonly #parts: CanonicalizeParts;
  readonly #table: CompiledTable;
  readonly #slice: LogSlice;
  readonly #schemas: TableSchemas;
  readonly #held: ReadonlyMap<string, readonly string[]> | undefined;
  readonly #outputs: OutputRecord[] = [];
  /** What is written when the ledger has answered: from the first record that may be an echo. */
  readonly #waiting: Said[] = [];
  readonly #rejected: Rejected[] = [];
  readonly #counter = new Counter();
  #stop: Transformed['stop'];

  constructor(parts: CanonicalizeParts, table: CompiledTable, slice: LogSlice, schemas: TableSchemas) {
    this.#parts = parts;
    this.#table = table;
    this.#slice = slice;
    this.#schemas = schemas;
    this.#held = parts.bidirectional.get(table.system);
  }

  async run(): Promise<Transformed> {
    const { records } = this.#slice;
    if (this.#table.entities.length === 0) {
      this.#counter.add('ignored', records.length);
      return this.#answer();
    }
    const asksForIds = this.#table.identities.length > 0;
    const read: Read[] = [];
    let areLoaded = false;
    for (let index = 0; index < records.length && this.#stop === undefined; index += 1) {
      // a record of the log makes its parts again each time it is asked
      const record = records[index] as LogRecord;
      const { key, value } = record;
      if (value === null) {
        // follows a delete, which said it already
        this.#counter.add('passedOver', 1);
        continue;
      }
      const oversize = oversizeOf(this.#table, record);
      if (oversize !== undefined) {
        this.#rejected.push({ record, error: oversize });
        continue;
      }
      if (!areLoaded && !this.#schemas.areKnown(this.#slice.topic, key, value)) {
        await this.#parts.codecs.loadSchemas(bytesOf(records));
        areLoaded = true;
      }
      const one = this.#read(record, key, value);
      if (one === undefined) {
        await this.#passOverIfSaidAgain(record);
        continue;
      }
      if (asksForIds) read.push(one);
      else this.#map(one, NO_LOOKUPS);
    }
    if (asksForIds) await this.#mapAll(read);
    if (this.#waiting.length > 0) this.#judge(await this.#loadLedger());
    return this.#answer();
  }

  #answer(): Transformed {
    const stop = this.#stop;
    const answer = { outputs: this.#outputs, rejected: inOrder(this.#rejected), counts: this.#counter.counts };
    if (stop === undefined) return answer;
    const { offset } = this.#slice.records[stop.at] as LogRecord;
    return { ...answer, rejected: answer.rejected.filter(({ record }) => record.offset < offset), stop };
  }

  // ---- bytes → events ----------------------------------------------------------------------------------------------

  /** undefined: it is set aside. */
  #read(record: LogRecord, key: Uint8Array | null, value: Uint8Array): Read | undefined {
    const { system, table } = this.#table;
    try {
      const hiding = this.#schemas.check(this.#slice.topic, this.#table, { key, value });
      const epoch = Math.max(this.#parts.epochs[system] ?? 0, epochOf(record.headers));
      const event = toChangeEvent(this.#parts.codecs.rawValue(value), { system, table, epoch });
      if (key === null) checkKeyless(this.#table, event.operation);
      // of these two only the key is read
      const isKeyOnly = event.operation === 'd' || event.operation === 't';
      if (hiding.length > 0 && !isKeyOnly) throw nullsHidden(this.#table, hiding);
      return { record, event, keyRow: this.#keyRow(key, event) };
    } catch (error) {
      if (this.#isReadAgain(record, value, error)) this.#counter.add('readAgain', 1);
      else this.#setAside(record, error);
      return undefined;
    }
  }

  /** A record that hides NULLs is nothing to stop for where a later one says what the row holds. */
  async #passOverIfSaidAgain(record: LogRecord): Promise<void> {
    if (this.#stop?.reason.code !== 'NULL_HIDDEN') return;
    const { codecs, saidAgain } = this.#parts;
    const isWhole = (value: Uint8Array) => isWholeRow(this.#table, codecs, value);
    const load = (records: readonly LogRecord[]) => codecs.loadSchemas(bytesOf(records));
    if (!(await saidAgain?.(this.#slice, record, isWhole, load))) return;
    this.#stop = undefined;
    this.#counter.add('saidAgain', 1);
  }

  /** A shape that the mapping can't read, in a record older than a complete reading of the table. */
  #isReadAgain(record: LogRecord, value: Uint8Array, error: unknown): boolean {
    if (!(error instanceof ContractError) || error.code === 'SCHEMA_ID_MOVED') return false;
    const { system, table } = this.#table;
    const readAt = this.#parts.readAgainAt?.(system, table);
    if (readAt === undefined) return false;
    const epoch = Math.max(this.#parts.epochs[system] ?? 0, epochOf(record.headers));
    const { position } = toChangeEvent(this.#parts.codecs.rawValue(value), { system, table, epoch });
    return comparePositions(position, readAt) < 0;
  }

  /** Read only where it is needed: by deletes, and where an id may have been assigned by the database. */
  #keyRow(key: Uint8Array | null, event: ChangeEvent): Row | null {
    return key === null || event.operation !== 'd' ? null : this.#parts.codecs.rawKey(key);
  }

  /** A broken contract stops the slice: this record and all behind it stay in the log. */
  #setAside(record: LogRecord, error: unknown): void {
    if (error instanceof RecordError) this.#rejected.push({ record, error });
    else if (error instanceof ContractError) this.#stop = { at: this.#slice.records.indexOf(record), reason: error };
    else throw error;
  }

  // ---- events → canonical records ----------------------------------------------------------------------------------

  /** What stopped the slice while it was read lies behind all of these; what stops it here comes first. */
  async #mapAll(read: readonly Read[]): Promise<void> {
    const lookups = await this.#loadIdentities(read);
    const stop = this.#stop;
    this.#stop = undefined;
    for (const one of read) {
      this.#map(one, lookups);
      if (this.#stop !== undefined) return;
    }
    this.#stop = stop;
  }

  async #loadIdentities(read: readonly Read[]): Promise<Lookups> {
    const { identities, system } = this.#table;
    const requests = new Map<string, { entity: string; localKey: string }>();
    for (const { event, keyRow } of read) {
      for (const row of [event.before, event.after, keyRow]) {
        if (row === null) continue;
        for (const { entity, column } of identities) {
          const localKey = String(row[column]);
          requests.set(ledgerKey(entity, localKey), { entity, localKey });
        }
      }
    }
    const ids = await this.#parts.identities.canonicalIds(system, [...requests.values()]);
    return { canonicalId: (entity, localKey) => ids.get(ledgerKey(entity, localKey)) };
  }

  #map(read: Read, lookups: Lookups): void {
    try {
      const { mapped, refused, unchanged } = mapEvent(read.event, read.keyRow, this.#table, lookups);
      if (unchanged > 0) this.#counter.add('unchanged', unchanged);
      for (const one of mapped) this.#say({ read, mapped: one, question: this.#question(read.event, one) });
      if (refused[0] !== undefined) this.#rejected.push({ record: read.record, error: refusalError(refused) });
    } catch (error) {
      this.#setAside(read.record, error);
    }
  }

  #say(said: Said): void {
    if (said.question === undefined && this.#waiting.length === 0) this.#emit(said, 0);
    else this.#waiting.push(said);
  }

  /** Untagged streamed changes, which nearly all are, are news without a question. */
  #question({ isTagged, operation }: ChangeEvent, { compiled, value }: Mapped): Question | undefined {
    if (!isTagged && operation !== 'r') return undefined;
    const heldFields = this.#held?.get(compiled.description.entity);
    if (heldFields === undefined) return isTagged ? NOT_WRITTEN : undefined;
    if (value === null) return { isWritten: true, hash: DELETED_HASH };
    return { isWritten: true, hash: Buffer.from(canonicalHash(value, heldFields)).toString('hex') };
  }

  async #loadLedger(): Promise<ReadonlyMap<string, LedgerEntry>> {
    const requests = new Map<string, LedgerRequest>();
    for (const { mapped, question } of this.#waiting) {
      if (!question?.isWritten) continue;
      const { entity } = mapped.compiled.description;
      requests.set(ledgerKey(entity, mapped.key), { entity, key: mapped.key });
    }
    if (requests.size === 0) return NO_ENTRIES;
    return this.#parts.ledger.lookup(this.#table.system, [...requests.values()]);
  }

  // ---- canonical records → bytes -----------------------------------------------------------------------------------

  #judge(entries: ReadonlyMap<string, LedgerEntry>): void {
    for (const one of this.#waiting) {
      if (one.question === undefined) {
        this.#emit(one, 0);
        continue;
      }
      const { compiled, key } = one.mapped;
      const { isTagged, operation } = one.read.event;
      const entry = entries.get(ledgerKey(compiled.description.entity, key));
      const verdict = judge({ isTagged, operation, ...one.question, entry });
      switch (verdict.kind) {
        case 'echo':
          this.#counter.add('echoesDropped', 1);
          break;
        case 'nothing-new':
          this.#counter.add('nothingNew', 1);
          break;
        case 'news':
          this.#emit(one, 0);
          break;
        case 'derived':
          this.#counter.add('derived', 1);
          this.#emit(one, verdict.hops);
      }
    }
  }

  #emit({ read, mapped }: Said, hops: number): void {
    const { description } = mapped.compiled;
    if (hops > this.#parts.hopsMax) {
      this.#rejected.push({ record: read.record, error: tooManyHops(mapped, hops) });
      return;
    }
    const { key, value } = mapped;
    let output: OutputRecord;
    try {
      output = this.#parts.codecs.output(description, key, value, metaOf(read.event, mapped, hops));
    } catch (error) {
      if (!(error instanceof RecordError)) throw error;
      this.#rejected.push({ record: read.record, error });
      return;
    }
    if (isTruncation(key)) {
      this.#toAllPartitions(output);
    } else {
      this.#counter.add(value === null ? 'tombstones' : 'produced', 1);
      this.#outputs.push(output);
    }
  }

  #toAllPartitions({ topic, key, value, headers }: OutputRecord): void {
    this.#counter.add('truncations', 1);
    const count = this.#parts.partitionCount(topic);
    for (let partition = 0; partition < count; partition += 1)
      this.#outputs.push({ topic, key, value, headers, partition });
  }
}

const NOT_WRITTEN: Question = { isWritten: false, hash: DELETED_HASH };
const NO_LOOKUPS: Lookups = { canonicalId: () => undefined };
const NO_ENTRIES: ReadonlyMap<string, LedgerEntry> = new Map();

/** Passes refuse one after another, and may refuse one record for several entities: it is set aside once, in its place. */
function inOrder(rejected: readonly Rejected[]): Rejected[] {
  const byOffset = new Map<bigint, Rejected>();
  for (const one of rejected) if (!byOffset.has(one.record.offset)) byOffset.set(one.record.offset, one);
  return [...byOffset.values()].sort((left, right) => (left.record.offset < right.record.offset ? -1 : 1));
}

function* bytesOf(records: readonly LogRecord[]): Generator<Uint8Array | null> {
  for (const { key, value } of records) {
    yield value;
    yield key;
  }
}

/** A row read by any snapshot says what was, not when it became so: among shared entities it is older than every change. */
function metaOf(event: ChangeEvent, { compiled, operation, absent }: Mapped, hops: number): RecordMeta {
  const { system, position, commitTimeUs } = event;
  const stampUs = event.operation === 'r' ? 0n : event.orderTimeUs;
  return {
    system,
    position: compiled.isShared ? sharedStamp(system, stampUs, position) : position,
    operation,
    commitTimeUs,
    hops,
    traceId: traceIdOf(event),
    absent,
    table: compiled.isOfSeveralTables ? compiled.table : undefined,
  };
}

function refusalError(
  refused: readonly { readonly compiled: CompiledEntity; readonly refusal: Refusal }[],
): RecordError {
  const first = refused[0] as (typeof refused)[number];
  const { system, table } = first.compiled;
  return new RecordError({
    code: first.refusal.code,
    message: refused
      .map(({ compiled, refusal }) => `${compiled.description.entity} rejected: ${refusal.reason}`)
      .join('; '),
    where: `${system} ${table}`,
    hint: `correct the row in the source, or what connectors/${system}/mapping.ts makes of it`,
  });
}

function tooManyHops({ compiled, key }: Mapped, hops: number): RecordError {
  const { description, system, table } = compiled;
  return new RecordError({
    code: 'HOP_LIMIT',
    message: `${description.entity} "${key}" was changed ${hops} times in a row because Seam had changed it`,
    where: `${system} ${table}, hops ${hops}`,
    hint: `something in ${system} answers what Seam writes with another value: compare its triggers with the mapping`,
  });
}

function unmapped(): ContractError {
  return new ContractError({
    code: 'TABLE_UNMAPPED',
    message: 'a captured table is neither mapped nor ignored',
    hint: 'add it to the mapping of its system, with ignore(reason) where it has no canonical meaning',
  });
}
