/** Set-up of MariaDB: which grants are missing, and how a password comes into a statement. */
import { describe, expect, it } from 'vitest';
import { grantsAsked, grantsMissing, grantsOf } from '../../core/databases/mariadb-grants.ts';
import * as inMariadb from '../../core/databases/mariadb.ts';
import * as inPostgres from '../../core/databases/postgres.ts';

const SETUP = `
-- 1. GRANT nothing ON this.comment TO nobody
GRANT REPLICATION SLAVE, BINLOG MONITOR ON *.* TO 'seam_cdc'@'%';
--;;
-- why
GRANT SELECT ON pos.cust TO 'seam_cdc'@'%';
--;;
GRANT SELECT, INSERT (a, b) ON \`pos\`.\`odd name\` TO 'seam_sink'@'%'`;

const ALL = [
  "GRANT BINLOG MONITOR, REPLICATION SLAVE ON *.* TO `seam_cdc`@`%` IDENTIFIED BY PASSWORD '*00'",
  'GRANT SELECT ON `pos`.`cust` TO `seam_cdc`@`%`',
];
const missing = (...present: string[]) =>
  grantsMissing(grantsAsked(SETUP), present.flatMap(grantsOf)).map(({ privilege, object }) => `${privilege} ${object}`);

describe('grants', () => {
  it('that are there in other words are not missing', () => {
    const sink = ['GRANT ALL PRIVILEGES ON `pos`.* TO `seam_sink`@`%`'];
    expect(missing(...ALL, ...sink)).toEqual([]);
    expect(missing('GRANT ALL PRIVILEGES ON *.* TO `seam_cdc`@`%` WITH GRANT OPTION', ...sink)).toEqual([]);
  });

  it('that are missing are found one by one', () => {
    expect(missing()).toHaveLength(5);
    expect(missing(ALL[0] as string, 'GRANT INSERT ON `pos`.`cust` TO `seam_cdc`@`%`')).toContain('SELECT pos.cust');
    expect(missing(...ALL, 'GRANT SELECT ON `pos`.* TO `seam_other`@`%`')).toContain('INSERT (A, B) pos.odd name');
  });
});

describe('a text in a statement', () => {
  it.each(["it's", '\\', "\\' OR 1 = 1 -- ", 'a\\\\b', "''", ''])('%j', (text) => {
    const literal = inMariadb.quoteText(text);
    const bytes = /^_utf8mb4 X'([0-9a-f]+)'$/.exec(literal)?.[1];
    const said =
      bytes === undefined ? literal.slice(1, -1).replaceAll("''", "'") : Buffer.from(bytes, 'hex').toString();
    expect(said).toBe(text);
    expect(literal.slice(1, -1).replaceAll("''", '')).not.toMatch(bytes === undefined ? /['\\]/ : /\\/);
    expect(inPostgres.quoteText(text).trim()).toMatch(text.includes('\\') ? /^E'/ : /^'/);
  });

  it('a password comes as the hash that PASSWORD() makes', () => {
    expect(inMariadb.passwordHash('secret')).toBe('*14E65567ABDB5135D0CFD9A70B3032C179A49EE7');
  });
});
