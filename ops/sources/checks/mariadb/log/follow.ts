/**
 * Events of the binary log → what was lost in it: changes of captured tables that no row event tells. Pure: a state and the next
 * events give the next state, wherever the events are cut into parts.
 *
 * Two-phase commits: the connector sends the rows of a transaction when it is prepared. So one that is rolled back afterwards
 * left rows that never were, and one that was open while a table was read again may have been read as it was before.
 */
import { compareAddresses, type LogAddress } from './address.ts';
import { mayAssign } from './assigned.ts';
import type { Parents } from './parents.ts';
import { effectOf } from './statement.ts';

export const LOSS_KINDS = [
  'statement',
  'statement-elsewhere',
  'partition',
  'replaced',
  'two-phase',
  'cascade',
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
  /** Of the connector's positions when it was found; none: 0. */
  readonly epoch?: number;
};

/** What is asked of the log. */
export type Asked = {
  /** `<database>.<table>`. */
  readonly captured: readonly string[];
  readonly parents: Parents;
  /** The server notes statements in front of their rows, unless a session turned that off. */
  readonly notesStatements: boolean;
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
  /** Tables of this transaction that matter beyond the captured ones, by the number of their map. */
  readonly maps?: Readonly<Record<string, string>>;
  /** Parents, of which the statement that the next rows are of leaves this key as it is: `<table> <columns>`. undefined: it was not noted. */
  readonly keeps?: readonly string[];
  /** The connector's now. */
  readonly epoch?: number;
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

export function follow(state: LogState, events: readonly LogEvent[], asked: Asked): LogState {
  let next = state;
  for (const event of events) {
    const { file, start, end } = event;
    const at = { file, position: start };
    next = { ...take(next, event, at, asked), at: { file, position: Math.max(end, start) } };
  }
  return next;
}

function take(state: LogState, event: LogEvent, at: LogAddress, asked: Asked): LogState {
  const { type, info } = event;
  if (type === 'Gtid') return begin(state, info);
  if (type === 'Table_map') return map(state, info, asked);
  if (/^(?:Write|Delete|Update)_rows/.test(type)) return afterRows(rows(state, event, at, asked), info);
  if (type === 'Annotate_rows') return noted(state, info, asked);
  if (type === 'XA_prepare') return prepare(state);
  if (type === 'Incident') return withLoss(state, 'incident', undefined, at);
  if (/^(?:Query|Execute_load_query)/.test(type)) return statement(state, info, at, asked.captured);
  return state;
}

function rows(state: LogState, { type, info }: LogEvent, at: LogAddress, asked: Asked): LogState {
  if (type.startsWith('Write')) return written(state, info);
  return type.startsWith('Delete') ? deleted(state, info, at, asked) : updated(state, info, at, asked);
}

/** What was noted is of one statement. */
function afterRows(state: LogState, info: string): LogState {
  if (!info.includes('STMT_END_F')) return state;
  const { keeps: _keeps, ...rest } = state;
  return rest;
}

function begin(state: LogState, info: string): LogState {
  const id = XA_START.exec(info)?.[1];
  const { open: _open, maps: _maps, keeps: _keeps, ...rest } = state;
  return id === undefined ? rest : { ...rest, open: { id, tables: [] } };
}

function map(state: LogState, info: string, { captured, parents }: Asked): LogState {
  const [, number = '', table = ''] = TABLE_MAP.exec(info) ?? [];
  const isOfUse = table === SIGNAL_TABLE || parents.has(table.toLowerCase());
  const next = isOfUse ? { ...state, maps: { ...state.maps, [number]: table } } : state;
  const known = captured.find((one) => one.toLowerCase() === table.toLowerCase());
  if (next.open === undefined || known === undefined || next.open.tables.includes(known)) return next;
  return { ...next, open: { ...next.open, tables: [...next.open.tables, known] } };
}

function tableOf({ maps }: LogState, info: string): string | undefined {
  return maps?.[/^table_id: (\d+)/.exec(info)?.[1] ?? ''];
}

/** A new row in the signal table: a chunk of a table, or all its keys, is being read. */
function written(state: LogState, info: string): LogState {
  if (tableOf(state, info) !== SIGNAL_TABLE) return state;
  const crossed = Object.entries(state.prepared).map(([id, { tables }]) => [id, { tables, isCrossed: true }]);
  return { ...state, prepared: Object.fromEntries(crossed) };
}

/** InnoDB carries out the rules of foreign keys without a word in the log. */
function deleted(state: LogState, info: string, at: LogAddress, { parents }: Asked): LogState {
  const changed = parents.get(tableOf(state, info)?.toLowerCase() ?? '')?.byDeletion ?? [];
  return changed.reduce((next, table) => withLoss(next, 'cascade', table, at), state);
}

/** Whether a row event changes a key, only the statement before it tells. A session that turned the note off may have changed any. */
function updated(state: LogState, info: string, at: LogAddress, { parents, notesStatements }: Asked): LogState {
  if (state.keeps === undefined && !notesStatements) return state;
  const keeps = state.keeps ?? [];
  const table = tableOf(state, info)?.toLowerCase() ?? '';
  const changed = (parents.get(table)?.byKey ?? []).filter(({ columns }) => !keeps.includes(keyOf(table, columns)));
  return changed.flatMap(({ tables }) => tables).reduce((next, one) => withLoss(next, 'cascade', one, at), state);
}

function noted(state: LogState, text: string, { parents }: Asked): LogState {
  const keeps = [...parents].flatMap(([table, { byKey }]) =>
    byKey.filter(({ columns }) => !mayAssign(text, table, columns)).map(({ columns }) => keyOf(table, columns)),
  );
  return { ...state, keeps };
}

function keyOf(table: string, columns: readonly string[]): string {
  return `${table} ${columns.join()}`;
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

/** What is stored has room for so many tables of one kind; beyond, it is the whole source. */
const TABLES_MAX = 100;

/** One entry for each kind and table: from its first to its last place. */
export function withLoss(state: LogState, kind: LossKind, table: string | undefined, at: LogAddress): LogState {
  const same = state.losses.filter((loss) => loss.kind === kind);
  const isWhole = table === undefined || same.some((loss) => loss.table === undefined) || same.length >= TABLES_MAX;
  const replaced = isWhole ? same : same.filter((loss) => loss.table === table);
  const loss: Loss = {
    kind,
    ...(isWhole ? {} : { table }),
    first: replaced[0]?.first ?? at,
    last: at,
    ...(state.epoch === undefined ? {} : { epoch: state.epoch }),
  };
  return { ...state, losses: [...state.losses.filter((one) => !replaced.includes(one)), loss] };
}

/** Where in the log the last complete reading of a table began. */
export type ReadAgain = {
  readonly epoch: number;
  readonly isFirst: boolean;
  readonly file: number;
  readonly position: number;
};

/** What no later reading has healed. A loss that may be of any table is healed when all were read. */
export function unhealed(state: LogState, read: ReadonlyMap<string, ReadAgain>, all: readonly string[]): LogState {
  const covers = (table: string, { last, epoch = 0 }: Loss) => {
    const reading = read.get(table);
    if (reading === undefined || reading.epoch < epoch) return false;
    if (reading.epoch > epoch) return true;
    const place = { file: `.${reading.file}`, position: reading.position };
    return !reading.isFirst && compareAddresses(last, place) < 0;
  };
  const isHealed = (loss: Loss) => (loss.table === undefined ? all : [loss.table]).every((one) => covers(one, loss));
  return { ...state, losses: state.losses.filter((loss) => !isHealed(loss)) };
}
