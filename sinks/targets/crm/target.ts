import { instant, integerFits, integerText, maxLength } from '../../../core/columns.ts';
import { adds, defineTarget, to, update, upsert } from '../../../core/target.ts';

const member = { mbr_id: to('memberId', integerText(32)) };

export default defineTarget({
  system: 'crm',
  dialect: 'postgres',
  tables: [
    upsert('crm.pts_led', 'points-entry', {
      key: { ent_id: to('entryId', maxLength(40)) },
      columns: {
        ...member,
        bskt: to('saleId', integerText(64)),
        pts: to('points', integerFits(32)),
        ts: to('earnedAt', instant()),
      },
      onDelete: 'delete',
      effects: [
        // Points of a member whom the CRM doesn't know yet wait until it does.
        adds({
          name: 'points-balance',
          table: 'crm.mbr',
          key: member,
          column: 'pts_bal',
          amount: 'points',
          whenMissing: 'wait',
        }),
      ],
    }),
    update('crm.mbr', 'member-contact', {
      key: member,
      columns: { tel: to('phone', maxLength(30)) },
      onDelete: { set: { tel: null } },
    }),
  ],
});
