import {
  date,
  decimal,
  digits,
  emptyAsNull,
  filled,
  instant,
  oneOf,
  optional,
  prefixed,
  trimmed,
} from '../../core/converters.ts';
import { canonical, defineSource, from, identity } from '../../core/mapping.ts';

export default defineSource({
  system: 'finance',
  tables: {
    'fin.inv': canonical('invoice', {
      // An invoice that came from a request keeps the request's id; one written by hand is known by its number.
      key: { invoiceId: identity('invoice-request', 'inv_id', prefixed('FI-', digits)) },
      fields: {
        shipmentId: from('shp_ref', emptyAsNull(trimmed)),
        orderId: from('ord_ref', emptyAsNull(trimmed)),
        amount: from('amt', decimal(12, 2)),
        currency: from('cur', filled),
        status: from('stat', oneOf({ O: 'OPEN', P: 'PAID', V: 'VOID' })),
        issuedOn: from('iss_dt', date),
        paidAt: from('paid_ts', optional(instant)),
      },
    }),
  },
});
