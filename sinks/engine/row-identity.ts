/**
 * Whose row is it? Two canonical keys may be one row of a target: its key column takes `a` for `A` or for `a `, has another form
 * for `007`, or a converter writes both as one. The first of them owns the row. The second is refused, and what deletes the second
 * leaves the row of the first.
 *
 * | the row's stored key                               | its owner                                                     |
 * |----------------------------------------------------|---------------------------------------------------------------|
 * | an entry of `seam.row_owner` names a living key    | that key                                                      |
 * | is, byte by byte, how a living key would be stored | that key: its row names it, so nothing has to be kept         |
 * | neither                                            | nobody: who writes it now gets an entry                       |
 *
 * Where no two keys can become one row (`isExact`) nothing is asked. All else is asked after the rows were written, in the same
 * transaction: the row's own index says what the database takes for equal, and a second key is rolled back and set aside.
 */
import {
  type CanonicalValue,
  type EntityDescription,
  type FieldDescription,
  keyFields,
  keyText,
} from '../../core/canonical-record.ts';
import { RecordError } from '../../core/errors.ts';
import { type Column, isOneToOne, type SqlValue, type TargetTable } from '../../core/target.ts';
import type { Session, TableShape, Values } from '../dialects/dialect.ts';
import { column } from '../dialects/values.ts';
import type { SideTables } from './side-tables.ts';

export const KEY_TAKEN = 'KEY_TAKEN';

export type RowIdentity = {
  /** No two canonical keys are one row here. */
  readonly isExact: boolean;
  /** Every key is stored as it is sent. */
  readonly keepsTexts: boolean;
  /** Of all keys that are written like this one, is it the usual one? */
  readonly isUsual: (key: string) => boolean;
  /** The usual key of a row; undefined: the declaration doesn't say. */
  readonly keyOf: (stored: readonly string[]) => string | undefined;
};

const TEXTS: ReadonlySet<FieldDescription['type']> = new Set(['string', 'uuid', 'enum', 'bytes']);

export function rowIdentityOf(declaration: TargetTable, entity: EntityDescription, shape: TableShape): RowIdentity {
  const columns = Object.entries(declaration.key);
  const fieldOf = (name: string) => entity.fields.find((field) => field.name === name);
  const places = entity.key.map((name) =>
    columns.findIndex(([, { fields }]) => fields.length === 1 && fields[0] === name),
  );
  const isComplete = places.every((place) => place >= 0);
  const isOneForOne = ([name, one]: readonly [string, Column]) => {
    if (one.fields.length === 0) return true;
    const field = fieldOf(one.fields[0] ?? '');
    const isText = field === undefined || TEXTS.has(field.type);
    return isOneToOne(one) && (!isText || shape.columns.get(name)?.tellsTextsApart === true);
  };
  return {
    isExact: declaration.assignedKey !== undefined || (isComplete && columns.every(isOneForOne)),
    keepsTexts: columns.every(([name]) => shape.columns.get(name)?.keepsTexts === true),
    isUsual: (key) => {
      const fields = keyFields(entity, key);
      return isComplete && columns.every(([, one]) => isUsualIn(one, fields[one.fields[0] ?? ''] ?? null));
    },
    keyOf: (stored) => {
      const parts = places.map((place) => columns[place]?.[1].usual?.of(stored[place] as string));
      return parts.includes(undefined) ? undefined : keyText(parts as string[]);
    },
  };
}

function isUsualIn({ fields, usual }: Column, value: CanonicalValue): boolean {
  return fields.length === 0 || usual?.is(value) === true;
}

/** Part of a table's declaration that is needed here. */
type Table = {
  readonly entity: { readonly entity: string };
  readonly shape: TableShape;
  readonly identity: RowIdentity;
};

/** Keys of one table whose rows were written, with the values they were written under. */
export type WrittenKeys = {
  readonly table: Table;
  readonly keys: readonly string[];
  readonly match: readonly Values[];
};

/** RecordError KEY_TAKEN where a row is another key's. */
export async function claimRows(session: Session, side: SideTables, written: WrittenKeys): Promise<void> {
  const { table, keys, match } = written;
  const { identity, entity, shape } = table;
  if (identity.isExact || keys.length === 0) return;
  const odd = await oddKeys(session, written);
  const hasOwners = (await session.run('rowOwners', [entity.entity])).length > 0;
  if (odd.length === 0 && !hasOwners) return;
  const stored = await session.storedKeys(shape, { match, onlyRespelled: false });
  const rows = stored.map(({ index, values }) => ({ key: keys[index] as string, row: keyText(values), values }));
  const owners = hasOwners ? await ownersOf(session, side, entity.entity, rows) : new Map<string, string>();
  const claims = new Map<string, string>();
  const rivals: { readonly key: string; readonly rival: string }[] = [];
  for (const { key, row, values } of rows) {
    const owner = owners.get(row);
    const usual = identity.keyOf(values);
    const claimed = claims.get(row);
    if (claimed !== undefined) throw taken(table);
    if (owner !== undefined && owner !== key) rivals.push({ key, rival: owner });
    if (usual === key && owner === undefined) continue;
    if (usual !== undefined && usual !== key) rivals.push({ key, rival: usual });
    if (owner !== key) claims.set(row, key);
  }
  const living = await livingKeys(
    session,
    side,
    entity.entity,
    rivals.map(({ rival }) => rival),
  );
  if (rivals.some(({ rival }) => living.has(rival))) throw taken(table);
  await writeClaims(session, side, entity.entity, claims);
}

/** Those whose rows may not name them. */
async function oddKeys(session: Session, { table, keys, match }: WrittenKeys): Promise<readonly string[]> {
  const unusual = keys.filter((key) => !table.identity.isUsual(key));
  const respelled = await session.storedKeys(table.shape, { match, onlyRespelled: true });
  return [...unusual, ...respelled.map(({ index }) => keys[index] as string)];
}

/**
 * Of keys whose rows are about to go: those whose row is another key's. Their deletion is a line in the ledger and nothing else.
 */
export async function foreignRows(
  session: Session,
  side: SideTables,
  going: WrittenKeys,
): Promise<ReadonlySet<string>> {
  const { table, keys, match } = going;
  const { identity, entity, shape } = table;
  const foreign = new Set<string>();
  if (identity.isExact || keys.length === 0) return foreign;
  const stored = await session.storedKeys(shape, { match, onlyRespelled: false });
  const rows = stored.map(({ index, values }) => ({ key: keys[index] as string, row: keyText(values), values }));
  const owners = await ownersOf(session, side, entity.entity, rows);
  const rivals = rows.flatMap(({ key, row, values }) => {
    const owner = owners.get(row);
    if (owner === key) return [];
    const usual = identity.keyOf(values);
    return [owner, usual === key ? undefined : usual].flatMap((rival) => (rival === undefined ? [] : [{ key, rival }]));
  });
  const living = await livingKeys(
    session,
    side,
    entity.entity,
    rivals.map(({ rival }) => rival),
  );
  for (const { key, rival } of rivals) if (living.has(rival)) foreign.add(key);
  return foreign;
}

/** Their rows are gone. */
export async function releaseRows(
  session: Session,
  side: SideTables,
  entity: string,
  keys: readonly string[],
): Promise<void> {
  if (keys.length === 0 || (await session.run('rowOwners', [entity])).length === 0) return;
  await session.remove(side.rowOwner, [
    column(
      'entity',
      keys.map(() => entity),
    ),
    column('key', keys),
  ]);
}

type StoredRow = { readonly key: string; readonly row: string; readonly values: readonly string[] };

async function ownersOf(session: Session, side: SideTables, entity: string, rows: readonly StoredRow[]) {
  const asked = [...new Set(rows.map(({ row }) => row))];
  const owners = new Map<string, string>();
  if (asked.length === 0) return owners;
  const match = [
    column(
      'entity',
      asked.map(() => entity),
    ),
    column('row_key', asked),
  ];
  for (const { index, values } of await session.lookup(side.rowOwner, { match, columns: ['key'] })) {
    owners.set(asked[index] as string, values[0] as string);
  }
  return owners;
}

async function livingKeys(session: Session, side: SideTables, entity: string, keys: readonly string[]) {
  const asked = [...new Set(keys)];
  const living = new Set<string>();
  if (asked.length === 0) return living;
  const match = [
    column(
      'entity',
      asked.map(() => entity),
    ),
    column('key', asked),
  ];
  for (const { index, values } of await session.lookup(side.applied, { match, columns: ['deleted'] })) {
    if (!(values[0] as SqlValue)) living.add(asked[index] as string);
  }
  return living;
}

async function writeClaims(session: Session, side: SideTables, entity: string, claims: ReadonlyMap<string, string>) {
  if (claims.size === 0) return;
  const key = [
    column(
      'entity',
      [...claims].map(() => entity),
    ),
    column('row_key', [...claims.keys()]),
  ];
  await session.upsert(side.rowOwner, { key, columns: [column('key', [...claims.values()])], onInsert: [] });
}

function taken({ shape, entity }: Table): RecordError {
  return new RecordError({
    code: KEY_TAKEN,
    message: `another key of ${entity.entity} has this row: the key of ${shape.table} takes both for one`,
    where: shape.table,
    hint: 'let one of them go at the source, or give the key column a collation and a length that tell them apart; then try it again',
  });
}
