import { code, decimalFits, fixedLength, integerFits, maxLength, zeroPadded } from '../../../core/columns.ts';
import { defineTarget, to, update, upsert } from '../../../core/target.ts';

const customer = { cust_no: to('memberId', zeroPadded(10)) };

export default defineTarget({
  system: 'pos',
  dialect: 'mariadb',
  tables: [
    upsert('pos.item', 'product', {
      key: { prod_cd: to('productId', maxLength(14)) },
      columns: {
        descr: to('description', maxLength(120)),
        dept: to('department', maxLength(40)),
        actv: to('status', code({ ACTIVE: 1, DELISTED: 0 })),
      },
      // Prices and past receipts refer to the item: the tills hide it instead.
      onDelete: { set: { actv: 0 } },
    }),
    upsert('pos.prc', 'price', {
      key: { prod_cd: to('productId', maxLength(14)), zn: to('zone', fixedLength(2)) },
      columns: { amt: to('amount', decimalFits(10, 2)) },
      onDelete: 'delete',
      accepts: (price) => price.currency === 'USD',
    }),
    upsert('pos.cust', 'member', {
      key: customer,
      columns: {
        nm: to('fullName', maxLength(80)),
        tier_cd: to('tier', code({ BASE: 'B', SILVER: 'S', GOLD: 'G' })),
        pts: to('pointsBalance', integerFits(32)),
      },
      onDelete: 'delete',
    }),
    update('pos.cust', 'member-contact', {
      key: customer,
      columns: { tel_no: to('phone', maxLength(30)) },
      onDelete: { set: { tel_no: null } },
    }),
  ],
});
