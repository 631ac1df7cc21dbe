/** What an operator asks to be replayed: words of the command line → a selection, refused where a word doesn't read. */
import { ConfigError } from '../../../core/errors.ts';
import { encodePosition } from '../../../core/position.ts';
import type { Filter } from './plan-file.ts';

export type Asked = {
  readonly targets: readonly string[];
  readonly topics: readonly string[];
  readonly from?: string | undefined;
  readonly to?: string | undefined;
  readonly offsets: readonly string[];
  readonly keys: readonly string[];
  readonly system?: string | undefined;
  readonly positionFrom?: string | undefined;
  readonly positionTo?: string | undefined;
};

export type Selection = {
  readonly targets: readonly string[];
  readonly topics: readonly string[];
  readonly fromMs: number | undefined;
  readonly toMs: number | undefined;
  /** By partition. Empty: all partitions. */
  readonly offsets: ReadonlyMap<number, { readonly from: bigint; readonly to: bigint | undefined }>;
  readonly filter: Filter;
  readonly inWords: string;
};

export function selectionOf(asked: Asked, nowMs: number): Selection {
  if (asked.targets.length === 0 && asked.topics.length === 0) {
    throw wrong(
      'nothing is chosen',
      'name a target (--target crm), a canonical topic (--topic canonical.product) or both',
    );
  }
  if (asked.offsets.length > 0 && (asked.topics.length !== 1 || asked.from !== undefined || asked.to !== undefined)) {
    throw wrong('offsets are of one topic, and stand in place of times', 'pass one --topic, and no --from or --to');
  }
  if (asked.system === undefined && (asked.positionFrom ?? asked.positionTo) !== undefined) {
    throw wrong('positions compare within one source only', 'pass --system as well');
  }
  const fromMs = asked.from === undefined ? undefined : timeOf(asked.from, nowMs);
  const toMs = asked.to === undefined ? undefined : timeOf(asked.to, nowMs);
  if (fromMs !== undefined && toMs !== undefined && fromMs >= toMs) {
    throw wrong(`the range ends before it begins: ${timeInWords(fromMs)} to ${timeInWords(toMs)}`);
  }
  const offsets = new Map(asked.offsets.map(offsetsOf));
  return {
    targets: asked.targets,
    topics: asked.topics,
    fromMs,
    toMs,
    offsets,
    filter: filterOf(asked),
    inWords: inWords(asked, fromMs, toMs),
  };
}

function filterOf({ keys, system, positionFrom, positionTo }: Asked): Filter {
  return {
    ...(keys.length === 0 ? {} : { keys: [...keys] }),
    ...(system === undefined ? {} : { system }),
    ...(positionFrom === undefined ? {} : { positionFrom: positionOf(positionFrom) }),
    ...(positionTo === undefined ? {} : { positionTo: positionOf(positionTo) }),
  };
}

const AGO = /^(\d+)(s|m|h|d)$/;
const UNIT_MS = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;
const CLOCK = /^\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d{1,3})?)?(Z|[+-]\d{2}:?\d{2})?)?$/;

/** `10m` is ten minutes ago. A clock time without a zone is this machine's; the plan shows it with its zone. */
export function timeOf(text: string, nowMs: number): number {
  const ago = AGO.exec(text);
  if (ago !== null) return nowMs - Number(ago[1]) * UNIT_MS[ago[2] as keyof typeof UNIT_MS];
  // a date alone would be read as UTC
  const clock = text.length === 'yyyy-mm-dd'.length ? `${text}T00:00` : text.replace(' ', 'T');
  const timeMs = CLOCK.test(text) ? Date.parse(clock) : Number.NaN;
  if (Number.isNaN(timeMs))
    throw wrong(`"${text}" is no time`, 'write 10m (ten minutes ago), 2026-11-23 02:00 or 2026-11-23T02:00:00Z');
  return timeMs;
}

export function timeInWords(timeMs: number): string {
  return new Date(timeMs).toISOString();
}

const OFFSETS = /^(\d+):(\d+)-(\d+)?$/;

function offsetsOf(text: string): [number, { from: bigint; to: bigint | undefined }] {
  const found = OFFSETS.exec(text);
  const [, partition, from, to] = found ?? [];
  if (partition === undefined || from === undefined || (to !== undefined && BigInt(to) <= BigInt(from))) {
    throw wrong(
      `"${text}" is no range of offsets`,
      'write partition:first-end, the end not included: 0:100-200, or 0:100-',
    );
  }
  return [Number(partition), { from: BigInt(from), to: to === undefined ? undefined : BigInt(to) }];
}

const HEX = /^[0-9a-f]{40}$/;
const BINLOG = /^(?:[\w.-]+\.)?(\d+):(\d+)$/;
const LSN = /^([0-9A-F]{1,8})\/([0-9A-F]{1,8})$/i;
const ROW_BITS = 20n;

/**
 * As 40 hexadecimal digits (the position as records carry it), a binlog place `mysql-bin.000412:1234`, or an LSN `0/16B3748`.
 * An LSN names the last commit before an event, which is what events of PostgreSQL are ordered by.
 */
export function positionOf(text: string): string {
  if (HEX.test(text)) return text;
  const binlog = BINLOG.exec(text);
  const lsn = LSN.exec(text);
  if (binlog === null && lsn === null) {
    throw wrong(
      `"${text}" is no position`,
      'write mysql-bin.000412:1234, 0/16B3748, or the 40 digits that the record carries',
    );
  }
  const major =
    binlog === null ? (BigInt(`0x${lsn?.[1]}`) << 32n) | BigInt(`0x${lsn?.[2]}`) : BigInt(binlog[1] as string);
  const minor = binlog === null ? 0n : BigInt(binlog[2] as string) << ROW_BITS;
  const position = encodePosition({ epoch: 0, phase: 'stream', major, minor, isDelete: true });
  return Buffer.from(position).toString('hex');
}

function inWords(asked: Asked, fromMs: number | undefined, toMs: number | undefined): string {
  const parts = [
    asked.topics.length === 0 ? 'every topic' : asked.topics.join(', '),
    `into ${asked.targets.length === 0 ? 'every target that takes it' : asked.targets.join(', ')}`,
    ...(fromMs === undefined ? [] : [`from ${timeInWords(fromMs)}`]),
    ...(toMs === undefined ? [] : [`to ${timeInWords(toMs)}`]),
    ...asked.offsets.map((text) => `offsets ${text}`),
    ...asked.keys.map((key) => `key ${key}`),
    ...(asked.system === undefined ? [] : [`made by ${asked.system}`]),
    ...(asked.positionFrom === undefined ? [] : [`from position ${asked.positionFrom}`]),
    ...(asked.positionTo === undefined ? [] : [`to position ${asked.positionTo}`]),
  ];
  return parts.join(', ');
}

function wrong(message: string, hint?: string): ConfigError {
  return new ConfigError({ code: 'SELECTION_WRONG', message, ...(hint === undefined ? {} : { hint }) });
}
