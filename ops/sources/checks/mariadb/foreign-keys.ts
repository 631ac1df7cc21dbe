/**
 * Foreign keys whose rule changes or deletes rows of a captured table: InnoDB writes no log entry for these rows. The rules are read
 * from the table's own text, since information_schema shows them only to users that may write.
 */
import { partsOf, quoteTable } from '../../../../core/databases/mariadb.ts';
import type { SourceSession } from '../../../resnapshot/source-session.ts';

export type ForeignKey = {
  readonly name: string;
  readonly child: string;
  readonly columns: readonly string[];
  /** `<database>.<table>`. */
  readonly parent: string;
  readonly parentColumns: readonly string[];
  readonly onDelete: string;
  readonly onUpdate: string;
};

const NAME = '`(?:[^`]|``)+`';
const FOREIGN_KEY = new RegExp(
  `CONSTRAINT (${NAME}) FOREIGN KEY \\(([^)]*)\\) REFERENCES (${NAME}(?:\\.${NAME})?) \\(([^)]*)\\)([^\\n]*)`,
  'g',
);
/** RESTRICT and NO ACTION refuse the parent's change. */
const CHANGES = 'CASCADE|SET NULL|SET DEFAULT';

/** Those with a rule that changes rows. */
export async function changingKeys(session: SourceSession, table: string): Promise<ForeignKey[]> {
  const [row] = await session.query<Record<string, string>>(`SHOW CREATE TABLE ${quoteTable(table)}`);
  const text = row?.['Create Table'] ?? '';
  return [...text.matchAll(FOREIGN_KEY)]
    .map(([, name = '', columns = '', parent = '', parentColumns = '', rules = '']) => ({
      name: namesIn(name)[0] ?? '',
      child: table,
      columns: namesIn(columns),
      parent: qualified(namesIn(parent), table),
      parentColumns: namesIn(parentColumns),
      onDelete: ruleOf(rules, 'DELETE'),
      onUpdate: ruleOf(rules, 'UPDATE'),
    }))
    .filter(({ onDelete, onUpdate }) => onDelete !== '' || onUpdate !== '');
}

/** Whether the log has the text of each statement in front of its rows: that alone tells of a parent's new key. */
export async function notesStatements(session: SourceSession): Promise<boolean> {
  const [row] = await session.query<{ notes: number }>('SELECT @@GLOBAL.binlog_annotate_row_events AS notes');
  return Number(row?.notes) === 1;
}

function ruleOf(rules: string, event: 'DELETE' | 'UPDATE'): string {
  return new RegExp(`ON ${event} (${CHANGES})`).exec(rules)?.[1] ?? '';
}

function namesIn(text: string): string[] {
  return [...text.matchAll(new RegExp(NAME, 'g'))].map(([name]) => name.slice(1, -1).replaceAll('``', '`'));
}

function qualified(names: readonly string[], child: string): string {
  return names.length === 2 ? names.join('.') : `${partsOf(child, '')[0]}.${names[0]}`;
}
