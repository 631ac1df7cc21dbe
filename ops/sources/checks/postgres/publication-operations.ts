/** A publication may tell only some kinds of changes. */
import { quoteName } from '../../../../core/databases/postgres.ts';
import type { SourceCheck } from '../check.ts';
import { publicationOf } from './publication.ts';

export const publicationOperations: SourceCheck = {
  id: 'PUBLICATION_OPERATIONS',
  severity: 'halt',
  losesChanges: true,
  async find(source) {
    const { system, tables } = source;
    const publication = await publicationOf(source);
    if (publication === undefined) return [];
    const { name, operations } = publication;
    const lacking = Object.entries(operations).flatMap(([operation, isTold]) => (isTold ? [] : operation));
    if (lacking.length === 0) return [];
    const alter = `ALTER PUBLICATION ${quoteName(name)} SET (publish = 'insert, update, delete, truncate')`;
    return tables.map((table) => ({
      table,
      text: `publication ${name} does not tell ${lacking.join(' and ')} of ${table}`,
      next: `as the publication's owner: ${alter}; then: seam resnapshot --system ${system} --yes`,
    }));
  },
};
