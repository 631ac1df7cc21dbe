import {
  codeDigits,
  decimal,
  digits,
  emptyAsNull,
  filled,
  localTime,
  oneOf,
  optional,
  trimmed,
} from '../../core/converters.ts';
import { canonical, defineSource, from } from '../../core/mapping.ts';

export default defineSource({
  system: 'logistics',
  tables: {
    'logistics.shp': canonical('shipment', {
      key: { shipmentId: from('shp_no', filled) },
      fields: {
        orderId: from('ord_no', emptyAsNull(trimmed)),
        planId: from('pln_no', emptyAsNull(trimmed)),
        productId: from('prod_cd', digits),
        locationId: from('frm_loc', codeDigits),
        quantity: from('qty', decimal(12, 3)),
        declaredValue: from('decl_val', decimal(12, 2)),
        status: from('stat', oneOf({ '0': 'REQUESTED', '1': 'SHIPPED', '2': 'DELIVERED' })),
        shippedAt: from('shp_dt', optional(localTime('UTC'))),
      },
    }),
  },
});
