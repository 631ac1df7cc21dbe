/** What the log lost, as conditions: one check for each kind of loss, all from the same look. */
import type { CheckedSource, Finding, SourceCheck } from '../check.ts';
import { addressText, type LogAddress } from './log/address.ts';
import type { Loss, LossKind } from './log/follow.ts';
import { lossesInLog } from './log/look.ts';

type Text = (place: string) => string;

function lossCheck(id: string, severity: SourceCheck['severity'], kinds: readonly LossKind[], text: Text): SourceCheck {
  return {
    id,
    severity,
    // what reads a table again is the connector
    passesApply: true,
    // a warning may be about nothing
    ...(severity === 'halt' ? { healedByReading: 'source' } : {}),
    find: async (source) => {
      const losses = await lossesInLog(source);
      return losses.filter(({ kind }) => kinds.includes(kind)).map((loss) => finding(source, loss, text));
    },
  };
}

function finding({ system }: CheckedSource, { table, first, last }: Loss, text: Text): Finding {
  const place = first.file === last.file && first.position === last.position ? '' : ` to ${addressText(last)}`;
  return {
    ...(table === undefined ? {} : { table }),
    text: `${text(`${placeText(first)}${place}`)}`,
    next: `read it again: ${readAgain(system, table)}`,
  };
}

function placeText(address: LogAddress): string {
  return `binary log ${addressText(address)}`;
}

function readAgain(system: string, table: string | undefined): string {
  return table === undefined
    ? `seam resnapshot --system ${system} --yes`
    : `seam resnapshot --system ${system} --table ${table} --yes`;
}

export const lostChanges: readonly SourceCheck[] = [
  lossCheck(
    'LOG_STATEMENT',
    'halt',
    ['statement'],
    (place) => `rows were changed by a statement that the log holds as text, not row by row (${place})`,
  ),
  lossCheck(
    'LOG_STATEMENT_ELSEWHERE',
    'warning',
    ['statement-elsewhere'],
    (place) =>
      `a statement in the log names no captured table, but a trigger or a view may have changed one with it (${place})`,
  ),
  lossCheck(
    'PARTITION_CHANGED',
    'halt',
    ['partition'],
    (place) => `rows came or went with a partition, which no row in the log tells (${place})`,
  ),
  lossCheck(
    'TABLE_REPLACED',
    'halt',
    ['replaced'],
    (place) => `the table was renamed, dropped or made again, and what it holds now was not read (${place})`,
  ),
  lossCheck(
    'TWO_PHASE_LOST',
    'halt',
    ['two-phase'],
    (place) =>
      `a transaction in two phases was rolled back after it was read, or was open while the table was read again (${place})`,
  ),
  lossCheck(
    'CASCADE_LOST',
    'halt',
    ['cascade'],
    (place) =>
      `a row of a parent table was deleted or got another key, and what the foreign key's rule did to rows of this table is not in the log (${place})`,
  ),
  lossCheck(
    'LOG_INCOMPLETE',
    'halt',
    ['incident', 'unseen'],
    (place) => `the log says that it lost changes, or was purged before Seam looked for losses in it (${place})`,
  ),
];
