/**
 * Rows that a table held before its log was read are known to be read, or the table stands still. While the first snapshot runs its rows
 * flow: it is not finished before it is whole. A table that the running connector captures later is not read by it.
 */
import { firstSnapshot } from '../../resnapshot/first-snapshot.ts';
import { wholeRecord } from '../../resnapshot/read-whole.ts';
import type { CheckedSource, Finding, SourceCheck } from './check.ts';

export const snapshotUnfinished: SourceCheck = {
  id: 'SNAPSHOT_UNFINISHED',
  severity: 'halt',
  passesApply: true,
  healedByReading: 'table',
  async find(source) {
    const snapshot = firstSnapshot(source.offset);
    if (snapshot === 'skipped') return [skipped(source)];
    const known = await wholeRecord(source.session);
    if (known === undefined) return [];
    if (snapshot !== 'finished') return known.before === undefined ? [forgot(source)] : [];
    return source.tables.filter((table) => !known.tables.has(table)).map((table) => notRead(source, table));
  },
};

function skipped({ system }: CheckedSource): Finding {
  return {
    text: `the first snapshot of ${system} ended before it had read a row, and its connector takes it for finished`,
    next: `read all of it again: seam connectors recover ${system} --yes`,
  };
}

/** What such a snapshot reads would count as older than what was streamed before it. */
function forgot({ system }: CheckedSource): Finding {
  return {
    text: `kafka connect has forgotten how far the connector of ${system} had read`,
    next: `read all of it again: seam connectors recover ${system} --yes`,
  };
}

function notRead({ system }: CheckedSource, table: string): Finding {
  return {
    table,
    text: `rows that ${table} held before ${system} was read are not known to be read`,
    next: `read them: seam resnapshot --system ${system} --table ${table} --yes`,
  };
}

/** A connector of an earlier release: what its first snapshot read was never written down. */
export const snapshotNotProven: SourceCheck = {
  id: 'SNAPSHOT_NOT_PROVEN',
  severity: 'warning',
  passesApply: true,
  async find({ system, session, offset }) {
    if (firstSnapshot(offset) !== 'finished') return [];
    if ((await wholeRecord(session)) !== undefined) return [];
    return [
      {
        text: `an earlier release started the connector of ${system}, and whether its first snapshot was whole is not known`,
        next: `find out: seam connectors apply ${system} --yes`,
      },
    ];
  },
};
