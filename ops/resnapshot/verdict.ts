/**
 * What a sweep may delete. Pure. Two rules stand over all others:
 *
 * 1. A reading that was not whole deletes nothing: one row whose key is not known may be any of the keys that seem to be gone.
 *    Nor does a reading whose keys the canonical model does not know: then one of the two spells them in another way.
 * 2. More than 100 keys, or more than 1 % of those held, are deleted only with their number on the command line.
 */
import { comparePositions, isStampOf, type Position, sharedStamp } from '../../core/position.ts';
import { ContractError } from '../../core/errors.ts';
import type { HeldKey, HeldKeys } from './keys.ts';
import type { Present, Unread } from './present.ts';
import type { Mark } from './watch.ts';

export const DELETIONS_FREE_MAX = 100;
export const DELETIONS_FREE_SHARE = 0.01;

export type Scope = {
  readonly system: string;
  readonly entity: string;
  readonly isShared: boolean;
  /** Tables that were asked for: keys that are known to come from another one stay. */
  readonly tables: readonly string[];
  /** Tables whose deleted rows leave the entity as it is. */
  readonly keepTables: readonly string[];
  readonly mark: Mark;
};

export type Verdict = {
  /** Keys that the canonical model holds of the scope. */
  readonly held: number;
  readonly missing: readonly string[];
  /** Held, and the mapping's `where` leaves their rows out. */
  readonly excluded: number;
  /** Of rows that make a record: keys that were never said. */
  readonly unknown: number;
};

export function verdictOf(held: HeldKeys, { keys }: Present, scope: Scope): Verdict {
  const missing: string[] = [];
  let count = 0;
  let excluded = 0;
  for (const [key, one] of held) {
    if (!one.isLive || !isInScope(one, scope)) continue;
    count += 1;
    const kind = keys.get(key);
    if (kind === 'excluded') excluded += 1;
    if (kind === undefined && isOlderThanMark(one.position, scope)) missing.push(key);
  }
  let unknown = 0;
  for (const [key, kind] of keys) if (kind === 'told' && !held.has(key)) unknown += 1;
  return { held: count, missing, excluded, unknown };
}

/** Of a shared entity only what this system said last: what others said is theirs to take back. */
function isInScope({ position, table }: HeldKey, { isShared, system, tables, keepTables }: Scope): boolean {
  if (isShared && !isStampOf(position, system)) return false;
  // where one table keeps what was deleted, a key of unknown origin may be one of those
  if (table === undefined) return keepTables.length === 0;
  return tables.includes(table) && !keepTables.includes(table);
}

function isOlderThanMark(position: Position, { isShared, system, mark }: Scope): boolean {
  const at = isShared ? sharedStamp(system, mark.orderTimeUs, mark.position) : mark.position;
  return comparePositions(position, at) < 0;
}

/** So many keys are deleted without their number on the command line. */
export function deletionsFree(held: number): number {
  return Math.min(DELETIONS_FREE_MAX, Math.floor(held * DELETIONS_FREE_SHARE));
}

// ---- why nothing is deleted --------------------------------------------------------------------------------------------

export type Swept = { readonly system: string; readonly entity: string; readonly tables: readonly string[] };

export function unreadRows(of: Swept, unread: readonly Unread[]): ContractError {
  const rows = unread.reduce((sum, one) => sum + one.rows, 0);
  return new ContractError({
    code: 'SWEEP_PARTIAL',
    message: `nothing of ${of.entity} was deleted: the keys of ${rows} rows are not known (${codesOf(unread)})`,
    where: `${of.system} ${[...new Set(unread.map(({ table }) => table))].join(', ')}`,
    hint: `correct these rows, or what connectors/${of.system}/mapping.ts makes of them; then run: ${again(of)}`,
  });
}

function codesOf(unread: readonly Unread[]): string {
  return unread.map(({ table, code, rows }) => `${table}: ${rows} ${code}`).join(', ');
}

export function unknownKeys(of: Swept, unknown: number): ContractError {
  return new ContractError({
    code: 'SWEEP_UNKNOWN_KEYS',
    message: `nothing of ${of.entity} was deleted: ${unknown} keys of the source never arrived, so their rows were refused or are read in another way`,
    where: placeOf(of),
    hint: `look at what was refused: seam dead-letter list --system ${of.system}; once these rows have arrived, run: ${again(of)}`,
  });
}

export function notWholeRead(of: Swept, { code, message }: { code: string; message: string }): ContractError {
  return new ContractError({
    code: 'SWEEP_NOT_READ',
    message: `nothing of ${of.entity} was deleted: not all of it could be read: ${message} [${code}]`,
    where: placeOf(of),
    hint: `once it can be read, run: ${again(of)}`,
  });
}

/** `command` names the number of all that the same run withholds. */
export function unconfirmed(of: Swept, { held, missing }: Verdict, command: string): ContractError {
  return new ContractError({
    code: 'SWEEP_UNCONFIRMED',
    message: `nothing of ${of.entity} was deleted: the source lacks ${missing.length} of ${held} keys, and more than ${deletionsFree(held)} must be confirmed`,
    where: placeOf(of),
    hint: `where these rows are really gone, run: ${command}`,
  });
}

function placeOf({ system, tables }: Swept): string {
  return `${system} ${tables.join(', ')}`;
}

function again({ system, tables }: Swept): string {
  return resnapshotCommand(system, tables);
}

export function recoverCommand(system: string, deletions: number): string {
  return `seam connectors recover ${system} --delete ${deletions} --yes`;
}

export function resnapshotCommand(system: string, tables: readonly string[], deletions?: number): string {
  const chosen = tables.map((table) => ` --table ${/^[\w.$-]+$/.test(table) ? table : `'${table}'`}`).join('');
  return `seam resnapshot --system ${system}${chosen}${deletions === undefined ? '' : ` --delete ${deletions}`} --yes`;
}
