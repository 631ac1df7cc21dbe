/**
 * Foreign keys whose rule changes captured rows unseen. A deletion in the parent is seen by its own row, a new key only by the statement that
 * the log notes in front of it: where the server notes none, this warning is all that Seam can say.
 */
import type { CheckedSource, Finding, SourceCheck } from '../check.ts';
import { changingKeys, type ForeignKey, notesStatements } from './foreign-keys.ts';

export const cascadeRules: SourceCheck = {
  id: 'CASCADE_NOT_LOGGED',
  severity: 'warning',
  find: async (source) => {
    if (await notesStatements(source.session)) return [];
    const findings: Finding[] = [];
    for (const table of source.tables) {
      const keys = await changingKeys(source.session, table);
      findings.push(...keys.filter(({ onUpdate }) => onUpdate !== '').map((key) => finding(source, key)));
    }
    return findings;
  },
};

function finding({ system }: CheckedSource, { name, child, parent, onUpdate }: ForeignKey): Finding {
  return {
    table: child,
    text: `its foreign key ${name} to ${parent} has ON UPDATE ${onUpdate}, and the server notes no statements in its log: a new key in ${parent} changes rows unseen`,
    next: `the database's owner sets binlog_annotate_row_events = ON for the server; after a new key in ${parent}: seam resnapshot --system ${system} --table ${child} --yes`,
  };
}
