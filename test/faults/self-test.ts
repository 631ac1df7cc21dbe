/**
 * A check that can't fail proves nothing. Before the first row every kind of damage is done by hand, each must be found, and
 * all is undone.
 */
import { rowsOf, type Target } from './audit.ts';
import { type CheckerParts, check, type Criterion } from './checker.ts';
import { writeTopic } from './raw-log.ts';

const PRODUCT = '999000002';

type Damage = {
  readonly criterion: Criterion;
  readonly names: string;
  do(): Promise<unknown>;
  undo(): Promise<unknown>;
};

export async function selfTest(parts: CheckerParts): Promise<string> {
  const damages = damagesOf(parts);
  for (const damage of damages) await damage.do();
  const { findings } = await check(parts, { leavesTransactions: true });
  for (const damage of damages) await damage.undo();
  const unseen = damages.filter(
    ({ criterion, names }) => !findings.some((one) => one.criterion === criterion && one.what.includes(names)),
  );
  if (unseen.length > 0) {
    const found = findings.map(({ criterion, what }) => `  ${criterion} ${what}`).join('\n');
    throw new Error(`the checker did not see: ${unseen.map(({ names }) => names).join(', ')}; it saw\n${found}`);
  }
  const clean = await check(parts, { feedsOldVersions: true });
  if (clean.findings.length > 0) {
    throw new Error(`not clean before the first row:\n${clean.findings.map(({ what }) => `  ${what}`).join('\n')}`);
  }
  return `the checker sees ${damages.length} kinds of damage (${damages.map(({ criterion }) => criterion).join(', ')})`;
}

function damagesOf({ chain, expected }: CheckerParts): Damage[] {
  const sql = (target: Target, text: string) => () => rowsOf(chain.sessions, target, text);
  const price = `WHERE product_id = '${PRODUCT}'`;
  const ledger = `WHERE entity = 'price' AND key = '${PRODUCT}|01'`;
  const stock = 'WHERE (loc_cd, prod_no) = (SELECT loc_cd, prod_no FROM erp.stk ORDER BY 1, 2 LIMIT 1)';
  return [
    {
      criterion: 'C1',
      names: `reporting.price ${PRODUCT}`,
      do: sql('reporting', `UPDATE reporting.price SET amount = amount + 1 ${price}`),
      undo: sql('reporting', `UPDATE reporting.price SET amount = amount - 1 ${price}`),
    },
    {
      criterion: 'C2',
      names: 'stock: 1 of',
      do: sql('erp', `UPDATE erp.stk SET qoh = qoh + 1 ${stock}`),
      undo: sql('erp', `UPDATE erp.stk SET qoh = qoh - 1 ${stock}`),
    },
    {
      criterion: 'C2',
      names: 'points of member 810001',
      do: sql('crm', 'UPDATE crm.mbr SET pts_bal = pts_bal + 1 WHERE mbr_id = 810001'),
      undo: sql('crm', 'UPDATE crm.mbr SET pts_bal = pts_bal - 1 WHERE mbr_id = 810001'),
    },
    {
      criterion: 'C3',
      names: `${PRODUCT}|01: went back`,
      // streamed becomes snapshot: older than it was
      do: sql('reporting', `UPDATE seam.applied SET position = set_byte(position, 2, 0) ${ledger}`),
      undo: async () => {},
    },
    {
      criterion: 'C4',
      names: 'gone from the ledger',
      do: async () => {
        const forged = `'forged', 'forged', '\\x00', '\\x', false, 0, false, 0, now(), NULL, NULL`;
        await sql('crm', `INSERT INTO seam.applied VALUES (${forged})`)();
        await sql('crm', `DELETE FROM seam.applied WHERE entity = 'forged'`)();
      },
      undo: async () => {},
    },
    {
      criterion: 'C5',
      names: 'is missing',
      do: async () => expected.deadLetters.add('raw.none/0/0'),
      undo: async () => expected.deadLetters.delete('raw.none/0/0'),
    },
    {
      criterion: 'C3',
      names: 'not a canonical record',
      do: async () => {
        await writeTopic(chain, 'canonical.invoice-request', [
          { partition: 0, key: Buffer.from('forged'), value: null },
        ]);
      },
      undo: sql('finance', `DELETE FROM seam.parked WHERE key = 'forged'`),
    },
  ];
}
