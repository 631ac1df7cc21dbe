/** Debezium's envelope → a change event. Pure: the decoder has made column values of it already. */
import type { ChangeEvent, Operation, Row } from './change-event.ts';
import { RecordError } from './errors.ts';
import type { Position } from './position.ts';
import { mariadbPosition, postgresPosition } from './position.ts';

/** What is read of Debezium's `source` block; a connector leaves out what its database doesn't have. */
export type DebeziumSource = {
  readonly connector: string;
  readonly snapshot?: string | null;
  readonly ts_ms: bigint;
  readonly ts_us?: bigint | null;
  readonly sequence?: string | null;
  readonly lsn?: bigint | null;
  readonly origin?: string | null;
  readonly server_id?: bigint;
  readonly gtid?: string | null;
  readonly file?: string | null;
  readonly pos?: bigint;
  readonly row?: number;
};

export type Envelope = {
  readonly before: Row | null;
  readonly after: Row | null;
  readonly op: string;
  readonly source: DebeziumSource;
};

export type EventContext = {
  readonly system: string;
  /** `<schema or database>.<table>`. */
  readonly table: string;
  /** Raised by an operator when the source's log starts again: core/position.ts. */
  readonly epoch: number;
};

/**
 * Kafka header of every raw record since a system's log started again: it belongs to the record, so it holds for a record
 * whenever that is read, also when it is set aside and comes back (names with `seam.` are the lane's). Connect adds it, as
 * the connector's settings say: ops/operations/connectors.ts.
 */
export const EPOCH_HEADER = 'seam-epoch';

/** Of a raw record; 0 where its connector never had to start again. */
export function epochOf(headers: Readonly<Record<string, Uint8Array>>): number {
  const header = headers[EPOCH_HEADER];
  if (header === undefined) return 0;
  const epoch = Number(Buffer.from(header).toString('utf8'));
  if (Number.isInteger(epoch) && epoch >= 0 && epoch <= EPOCH_MAX) return epoch;
  throw new RecordError({
    code: 'ENVELOPE_REFUSED',
    message: `change event rejected: its header "${EPOCH_HEADER}" is no epoch`,
    hint: 'give the connector its settings back: seam connectors apply --yes; then read its tables again, with seam resnapshot',
  });
}

const EPOCH_MAX = 65_535;

/** Our sinks' sessions: PostgreSQL origins start with this, MariaDB's GTID domains and server ids lie in this range. */
const ORIGIN_PREFIX = 'seam_';
const TAG_FIRST = 7700;
const TAG_LAST = 7799;
const MARIADB_GTID = /^(\d+)-\d+-\d+$/;

export function toChangeEvent(envelope: Envelope, context: EventContext): ChangeEvent {
  const { source } = envelope;
  const operation = operationOf(envelope.op, context);
  const isSnapshot = isSnapshotRow(source.snapshot ?? null, context);
  const commitTimeUs = source.ts_us ?? source.ts_ms * 1000n;
  return {
    system: context.system,
    table: context.table,
    operation,
    before: envelope.before,
    after: envelope.after,
    position: positionOf(source, context, isSnapshot, operation === 'd'),
    commitTimeUs,
    orderTimeUs: orderTimeUs(source.connector, commitTimeUs),
    isSnapshot,
    // a row that a snapshot read carries the mark of whatever came last in the log, not of who wrote the row
    isTagged: operation !== 'r' && isTagged(source),
  };
}

const SECOND_US = 1_000_000n;
let lastSecond = { timeUs: 0n, endUs: SECOND_US - 1n };

/**
 * MariaDB's log says in which second: its end is taken. Its beginning would make what a trigger does with a record older than
 * that record, and a system's own changes of one second fall to their places in its log either way.
 */
function orderTimeUs(connector: string, commitTimeUs: bigint): bigint {
  if (connector !== 'mariadb') return commitTimeUs;
  if (lastSecond.timeUs !== commitTimeUs) {
    lastSecond = { timeUs: commitTimeUs, endUs: commitTimeUs - (commitTimeUs % SECOND_US) + SECOND_US - 1n };
  }
  return lastSecond.endUs;
}

function operationOf(word: string, context: EventContext): Operation {
  switch (word) {
    case 'c':
    case 'u':
    case 'd':
    case 'r':
    case 't':
      return word;
    default:
      throw unknownWord('operation', word, context);
  }
}

/** Rows of an incremental snapshot are read beside the stream and carry its position: they count as streamed. */
function isSnapshotRow(word: string | null, context: EventContext): boolean {
  switch (word) {
    case null:
    case 'false':
    case 'incremental':
      return false;
    case 'true':
    case 'first':
    case 'first_in_data_collection':
    case 'last_in_data_collection':
    case 'last':
      return true;
    default:
      throw unknownWord('snapshot state', word, context);
  }
}

function positionOf(source: DebeziumSource, context: EventContext, snapshot: boolean, isDelete: boolean): Position {
  const { epoch } = context;
  switch (source.connector) {
    case 'postgresql':
      return postgresPosition({
        epoch,
        snapshot,
        isDelete,
        sequence: source.sequence ?? null,
        lsn: source.lsn ?? null,
      });
    case 'mariadb':
    case 'mysql': {
      const { file = null, pos = 0n, row = 0 } = source;
      return mariadbPosition({ epoch, snapshot, isDelete, file, pos, row });
    }
    default:
      throw unknownWord('connector', source.connector, context);
  }
}

function isTagged({ connector, origin, gtid = null, server_id: serverId = 0n }: DebeziumSource): boolean {
  if (connector === 'postgresql') return origin?.startsWith(ORIGIN_PREFIX) ?? false;
  if (lastWriter.gtid !== gtid || lastWriter.serverId !== serverId) {
    lastWriter = { gtid, serverId, isOurs: isOurWriter(gtid, serverId) };
  }
  return lastWriter.isOurs;
}

/** All rows of one transaction have one. */
let lastWriter: { readonly gtid: string | null; readonly serverId: bigint; readonly isOurs: boolean } = {
  gtid: null,
  serverId: 0n,
  isOurs: false,
};

function isOurWriter(gtid: string | null, serverId: bigint): boolean {
  // MySQL's GTID starts with a uuid: its sessions are known by their server id, like those without a GTID
  const domain = gtid === null ? undefined : MARIADB_GTID.exec(gtid)?.[1];
  const tag = Number(domain ?? serverId);
  return tag >= TAG_FIRST && tag <= TAG_LAST;
}

function unknownWord(what: string, word: string, context: EventContext): RecordError {
  return new RecordError({
    code: 'ENVELOPE_REFUSED',
    message: `change event rejected: ${what} "${word}" is unknown`,
    where: `${context.system} ${context.table}`,
    hint: 'the connector is newer than this reader: core/debezium.ts',
  });
}
