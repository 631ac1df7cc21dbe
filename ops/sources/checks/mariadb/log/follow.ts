/**
 * Events of the binary log → what was lost in it: changes of captured tables that no row event tells. Pure: a state and the next
 * events give the next state, wherever the events are cut into parts.
 *
 * Two-phase commits: the connector sends the rows of a transaction when it is prepared. So one that is rolled back afterwards
 * left rows that never were, and one that was open while a table was read again may have been read as it was before.
 */
import { compareAddresses, type LogAddress } from './address.ts';
import { effectOf } from './statement.ts';

export const LOSS_KINDS = [
  'statement',
  'statement-elsewhere',
  'partition',
  'replaced',
  'two-phase',
  'incident',
  'unseen',
] as const;
export type LossKind = (typeof LOSS_KINDS)[number];

/** Without a table it may be any of the source. */
export type Loss = {
  readonly kind: LossKind;
  readonly table?: string;
  readonly first: LogAddress;
  readonly last: LogAddress;
};

/** Of a transaction that is prepared. `isCrossed`: a table was read again while it was open. */
export type Prepared = { readonly tables: readonly string[]; readonly isCrossed: boolean };

export type LogState = {
  /** All before is known. */
  readonly at: LogAddress;
  readonly losses: readonly Loss[];
  readonly prepared: Readonly<Record<string, Prepared>>;
  /** The transaction that the next event belongs to, if it is one in two phases. */
  readonly open?: { readonly id: string; readonly tables: readonly string[] };
  /** Number of the signal table's map in this transaction. */
  readonly signalMap?: string;
};

export type LogEvent = {
  readonly file: string;
  readonly start: number;
  readonly end: number;
  readonly type: string;
  readonly info: string;
};

const DEFAULT_DATABASE = /^use `((?:[^`]|``)+)`; /;
const XA_START = /^XA START (X'[0-9A-Fa-f]*',X'[0-9A-Fa-f]*',\d+)/;
const XA_END = /^XA (COMMIT|ROLLBACK) (X'[0-9A-Fa-f]*',X'[0-9A-Fa-f]*',\d+)/;
const TABLE_MAP = /^table_id: (\d+) \((.+)\)$/s;
const SIGNAL_TABLE = 'seam.signal';

export function follow(state: LogState, events: readonly LogEvent[], captured: readonly string[]): LogState {
  let next = state;
  for (const event of events) {
    const { file, start, end } = event;
    const at = { file, position: start };
    next = { ...take(next, event, at, captured), at: { file, position: Math.max(end, start) } };
  }
  return next;
}

function take(state: LogState, event: LogEvent, at: LogAddress, captured: readonly string[]): LogState {
  const { type, info } = event;
  if (type === 'Gtid') return begin(state, info);
  if (type === 'Table_map') return map(state, info, captured);
  if (type.startsWith('Write_rows')) return written(state, info);
  if (type === 'XA_prepare') return prepare(state);
  if (type === 'Incident') return withLoss(state, 'incident', undefined, at);
  if (/^(?:Query|Execute_load_query)/.test(type)) return statement(state, info, at, captured);
  return state;
}

function begin(state: LogState, info: string): LogState {
  const id = XA_START.exec(info)?.[1];
  const { open: _open, signalMap: _map, ...rest } = state;
  return id === undefined ? rest : { ...rest, open: { id, tables: [] } };
}

function map(state: LogState, info: string, captured: readonly string[]): LogState {
  const [, number, table = ''] = TABLE_MAP.exec(info) ?? [];
  if (table === SIGNAL_TABLE && number !== undefined) return { ...state, signalMap: number };
  const known = captured.find((one) => one.toLowerCase() === table.toLowerCase());
  if (state.open === undefined || known === undefined || state.open.tables.includes(known)) return state;
  return { ...state, open: { ...state.open, tables: [...state.open.tables, known] } };
}

/** A new row in the signal table: a chunk of a table, or all its keys, is being read. */
function written(state: LogState, info: string): LogState {
  if (state.signalMap === undefined || !info.startsWith(`table_id: ${state.signalMap}`)) return state;
  const crossed = Object.entries(state.prepared).map(([id, { tables }]) => [id, { tables, isCrossed: true }]);
  return { ...state, prepared: Object.fromEntries(crossed) };
}

function prepare({ open, ...state }: LogState): LogState {
  if (open === undefined || open.tables.length === 0) return { ...state };
  const prepared = { tables: open.tables, isCrossed: false };
  return { ...state, prepared: { ...state.prepared, [open.id]: prepared } };
}

function statement(state: LogState, info: string, at: LogAddress, captured: readonly string[]): LogState {
  const [, how, id = ''] = XA_END.exec(info) ?? [];
  if (how !== undefined) return end(state, id, how === 'ROLLBACK', at);
  const database = (DEFAULT_DATABASE.exec(info)?.[1] ?? '').replaceAll('``', '`');
  const effect = effectOf(info.replace(DEFAULT_DATABASE, ''), database, captured);
  switch (effect.kind) {
    case 'none':
      return state;
    case 'unknown':
      return withLoss(state, 'statement', undefined, at);
    case 'rows':
      if (effect.tables.length === 0) return withLoss(state, 'statement-elsewhere', undefined, at);
      return effect.tables.reduce((next, table) => withLoss(next, 'statement', table, at), state);
    default:
      return effect.tables.reduce((next, table) => withLoss(next, effect.kind, table, at), state);
  }
}

function end(state: LogState, id: string, isUndone: boolean, at: LogAddress): LogState {
  const { [id]: known, ...others } = state.prepared;
  if (known === undefined) return state;
  const next = { ...state, prepared: others };
  if (!isUndone && !known.isCrossed) return next;
  return known.tables.reduce((sum, table) => withLoss(sum, 'two-phase', table, at), next);
}

/** One entry for each kind and table: from its first to its last place. */
export function withLoss(state: LogState, kind: LossKind, table: string | undefined, at: LogAddress): LogState {
  const known = state.losses.find((loss) => loss.kind === kind && loss.table === table);
  const loss = { kind, ...(table === undefined ? {} : { table }), first: known?.first ?? at, last: at };
  return { ...state, losses: [...state.losses.filter((one) => one !== known), loss] };
}

/** What is left after `tables` were read again, whole, from this place of the log on. */
export function settled(
  state: LogState,
  tables: readonly string[],
  from: LogAddress,
  all: readonly string[],
): LogState {
  const isAll = all.every((table) => tables.includes(table));
  const isHealed = ({ table, last }: Loss) =>
    compareAddresses(last, from) < 0 && (table === undefined ? isAll : tables.includes(table));
  return { ...state, losses: state.losses.filter((loss) => !isHealed(loss)) };
}
