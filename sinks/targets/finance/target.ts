import { decimalFits, fixedLength, localDate, maxLength } from '../../../core/columns.ts';
import { defineTarget, fixed, to, upsert } from '../../../core/target.ts';

export default defineTarget({
  system: 'finance',
  dialect: 'postgres',
  tables: [
    upsert('fin.inv', 'invoice-request', {
      // The invoice number is finance's own; the identity map keeps which one a request was given.
      assignedKey: { column: 'inv_id' },
      key: { ext_ref: to('invoiceId', maxLength(40)) },
      columns: {
        shp_ref: to('shipmentId', maxLength(24)),
        ord_ref: to('orderId', maxLength(24)),
        amt: to('amount', decimalFits(12, 2)),
        cur: to('currency', fixedLength(3)),
      },
      onInsert: { stat: fixed('O'), iss_dt: to('requestedAt', localDate('America/New_York')) },
      onDelete: { set: { stat: 'V' } },
    }),
  ],
});
