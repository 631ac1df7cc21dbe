/** Foreign keys that change or delete captured rows without a log entry, as warnings with what Seam does about them. */
import type { CheckedSource, Finding, SourceCheck } from '../check.ts';
import { changingKeys, type ForeignKey } from './foreign-keys.ts';

export const cascadeRules: SourceCheck = {
  id: 'CASCADE_NOT_LOGGED',
  severity: 'warning',
  find: async (source) => {
    const findings: Finding[] = [];
    for (const table of source.tables) {
      for (const key of await changingKeys(source.session, table)) findings.push(finding(source, key));
    }
    return findings;
  },
};

function finding({ system }: CheckedSource, { name, child, parent, onDelete, onUpdate }: ForeignKey): Finding {
  const rules = [onDelete === '' ? '' : `ON DELETE ${onDelete}`, onUpdate === '' ? '' : `ON UPDATE ${onUpdate}`];
  return {
    table: child,
    text: `its foreign key ${name} to ${parent} has ${rules.filter((rule) => rule !== '').join(' and ')}: rows that this rule changes are not in the log`,
    next: `after a deletion or a new key in ${parent}: seam resnapshot --system ${system} --table ${child} --yes`,
  };
}
