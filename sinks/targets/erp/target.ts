import { code, codeZeroPadded, decimalFits, instant, localDate, maxLength } from '../../../core/columns.ts';
import { adds, defineTarget, fixed, to, upsert } from '../../../core/target.ts';

const location = to('locationId', codeZeroPadded(6));
const product = to('productId', maxLength(14));

export default defineTarget({
  system: 'erp',
  dialect: 'postgres',
  tables: [
    upsert('erp.stk_mvmt', 'stock-movement', {
      key: { mvmt_id: to('movementId', maxLength(40)) },
      columns: {
        loc_cd: location,
        prod_no: product,
        qty: to('quantity', decimalFits(12, 3)),
        rsn_cd: to('reason', code({ SALE: 'S', RETURN: 'R' })),
        mv_ts: to('movedAt', instant()),
      },
      onDelete: 'delete',
      effects: [
        adds({
          name: 'stock-on-hand',
          table: 'erp.stk',
          key: { loc_cd: location, prod_no: product },
          column: 'qoh',
          amount: 'quantity',
        }),
      ],
    }),
    upsert('erp.so_hdr', 'sales-order', {
      key: { ord_no: to('orderId', maxLength(24)) },
      columns: {
        mbr_no: to('memberId', maxLength(12)),
        prod_no: product,
        loc_cd: location,
        qty: to('quantity', decimalFits(12, 3)),
        prc: to('unitPrice', decimalFits(10, 2)),
        stat: to('status', code({ NEW: 'N', CANCELLED: 'X' })),
        ord_ts: to('orderedAt', instant()),
      },
      onDelete: 'delete',
    }),
    upsert('erp.prod_plan', 'production-plan-request', {
      key: { plan_no: to('planId', maxLength(24)) },
      columns: {
        ord_no: to('orderId', maxLength(24)),
        prod_no: product,
        loc_cd: location,
        qty: to('quantity', decimalFits(12, 3)),
        ord_val: to('orderValue', decimalFits(12, 2)),
      },
      onInsert: { stat: fixed('P'), pln_dt: to('requestedAt', localDate('America/New_York')) },
      // A withdrawn order cancels its plan; the ERP's own trigger keeps a completed one completed.
      onDelete: { set: { stat: 'X' } },
    }),
  ],
});
