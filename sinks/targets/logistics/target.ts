import { codeZeroPadded, decimalFits, maxLength } from '../../../core/columns.ts';
import { defineTarget, fixed, to, upsert } from '../../../core/target.ts';

export default defineTarget({
  system: 'logistics',
  dialect: 'mariadb',
  tables: [
    upsert('logistics.shp', 'shipment-request', {
      key: { shp_no: to('shipmentId', maxLength(24)) },
      columns: {
        pln_no: to('planId', maxLength(24)),
        ord_no: to('orderId', maxLength(24)),
        prod_cd: to('productId', maxLength(14)),
        frm_loc: to('locationId', codeZeroPadded(6)),
        qty: to('quantity', decimalFits(12, 3)),
        decl_val: to('declaredValue', decimalFits(12, 2)),
      },
      onInsert: { stat: fixed(0) },
      onDelete: 'keep',
    }),
  ],
});
