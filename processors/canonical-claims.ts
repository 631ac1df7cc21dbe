/** What raw records say of canonical entities: see claims.ts. */
import type { ChangeEvent, Row } from '../core/change-event.ts';
import { epochOf, toChangeEvent } from '../core/debezium.ts';
import { SeamError, TransientError } from '../core/errors.ts';
import type { LogRecord, LogSlice } from '../core/ports.ts';
import { isTruncation } from '../core/truncation.ts';
import { type Claims, NOTHING_KNOWN, type RecordClaims } from './claims.ts';
import type { Codecs } from './codecs.ts';
import type { CompiledEntity, CompiledTable } from './compile-mapping.ts';
import { mapEvent } from './map-event.ts';
import { oversizeOf } from './oversize.ts';

export type ClaimParts = {
  readonly codecs: Codecs;
  readonly epochs: Readonly<Record<string, number>>;
  readonly bidirectional: ReadonlyMap<string, ReadonlyMap<string, readonly string[]>>;
};

/** Rejects with a TransientError where the registry is away. */
export async function canonicalClaims(
  parts: ClaimParts,
  table: CompiledTable | undefined,
  { records }: LogSlice,
): Promise<RecordClaims[]> {
  if (table === undefined || table.identities.length > 0) return records.map(() => NOTHING_KNOWN);
  await parts.codecs.loadSchemas(
    records.flatMap((record) => (isStub(table, record) ? [record.key] : [record.value, record.key])),
  );
  return records.map((record) => claimsOf(parts, table, record));
}

function claimsOf(parts: ClaimParts, table: CompiledTable, record: LogRecord): RecordClaims {
  const { key, value, headers } = record;
  if (key === null) return NOTHING_KNOWN;
  const nothing: Claims = { said: [], position: undefined };
  // the tombstone behind a deletion
  if (value === null) return { unsaid: nothing, refused: nothing, isWhole: false };
  try {
    const { codecs, epochs } = parts;
    const keyRow = codecs.rawKey(key);
    const bound = new Set(table.entities.filter((one) => isBound(one, keyRow)));
    const event = isStub(table, record)
      ? undefined
      : readEvent(() => {
          const epoch = Math.max(epochs[table.system] ?? 0, epochOf(headers));
          return toChangeEvent(codecs.rawValue(value), { system: table.system, table: table.table, epoch });
        });
    if (event !== undefined) return claimsOfEvent(parts, table, { event, keyRow, bound });
    // its row can't be read: it may have said something of every entity, of the same keys as the next record
    const all = table.entities.map(({ description }) => description.entity);
    const unread: Claims = { said: bound.size === all.length ? all : undefined, position: undefined };
    return { unsaid: unread, refused: unread, isWhole: false };
  } catch (error) {
    if (error instanceof SeamError && !(error instanceof TransientError)) return NOTHING_KNOWN;
    throw error;
  }
}

/** The converter left out what was too large. */
function isStub(table: CompiledTable, record: LogRecord): boolean {
  return oversizeOf(table, record) !== undefined;
}

function readEvent(read: () => ChangeEvent): ChangeEvent | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof SeamError && !(error instanceof TransientError)) return undefined;
    throw error;
  }
}

/** All records of one raw key have one key of this entity. */
function isBound({ key }: CompiledEntity, keyRow: Row): boolean {
  return key.every(({ columns, anyOf }) => {
    return columns.length > 0 && anyOf.length === 0 && columns.every((column) => keyRow[column] !== undefined);
  });
}

type Seen = { readonly event: ChangeEvent; readonly keyRow: Row; readonly bound: ReadonlySet<CompiledEntity> };

function claimsOfEvent({ bidirectional }: ClaimParts, table: CompiledTable, seen: Seen): RecordClaims {
  const { event, keyRow, bound } = seen;
  const { mapped, refused } = mapEvent(event, event.operation === 'd' ? keyRow : null, table, NO_LOOKUPS);
  if (mapped.some(({ key }) => isTruncation(key))) return NOTHING_KNOWN;
  const held = bidirectional.get(table.system);
  const nameOf = (compiled: CompiledEntity, key: string) => {
    const { entity } = compiled.description;
    return bound.has(compiled) ? entity : `${entity}\n${key}`;
  };
  const isKnown = refused.every(({ compiled }) => bound.has(compiled));
  const refusedNames = isKnown ? refused.map(({ compiled }) => compiled.description.entity) : undefined;
  const mappedNames = mapped.map(({ compiled, key }) => nameOf(compiled, key));
  const { position } = event;
  const mayBeEcho = ({ compiled }: { readonly compiled: CompiledEntity }) =>
    event.isTagged || (event.operation === 'r' && held?.has(compiled.description.entity) === true);
  return {
    unsaid: { said: refusedNames === undefined ? undefined : [...refusedNames, ...mappedNames], position },
    // where the mapping refuses nothing, something behind it did, and nothing was sent
    refused: { said: refused.length === 0 ? mappedNames : refusedNames, position },
    isWhole: refused.length === 0 && mapped.every((one) => one.absent.length === 0 && !mayBeEcho(one)),
  };
}

const NO_LOOKUPS = { canonicalId: () => undefined };
