/** Requests to read a table again, and the marks in the log, go through a table of ours. */
import { partsOf, quoteName, quoteTable } from '../../../../core/databases/postgres.ts';
import type { SourceCheck } from '../check.ts';
import { publicationName } from './publication.ts';

export const signalNotPublished: SourceCheck = {
  id: 'SIGNAL_NOT_PUBLISHED',
  severity: 'warning',
  async find({ system, session, config }) {
    const table = config['signal.data.collection'];
    if (table === undefined) return [];
    const [schema, relation] = partsOf(table, 'public');
    const name = publicationName(config);
    const found = await session.query(
      'SELECT 1 FROM pg_publication_tables WHERE pubname = ? AND schemaname = ? AND tablename = ?',
      [name, schema, relation],
    );
    if (found.length > 0) return [];
    return [
      {
        text: `${table} is not in publication ${name}: no table of ${system} can be read again`,
        next: `as the table's owner: ALTER PUBLICATION ${quoteName(name)} ADD TABLE ${quoteTable(table)}`,
      },
    ];
  },
};
