import {
  bigInteger,
  codeDigits,
  decimal,
  digits,
  emptyAsNull,
  filled,
  integer,
  isBlank,
  localTime,
  notNegative,
  oneOf,
  trimmed,
} from '../../core/converters.ts';
import { canonical, defineSource, from } from '../../core/mapping.ts';

/** All tills run on the head office's clock. */
const storeTime = localTime('America/New_York');
/** No card is NULL in some releases of the till software and blank in others. */
const card = emptyAsNull(digits);
const basketNumber = (value: Parameters<typeof bigInteger>[0]) => bigInteger(value).toString();

export default defineSource({
  system: 'pos',
  tables: {
    'pos.tlog_hdr': canonical('sale', {
      key: { saleId: from('bskt_no', basketNumber) },
      fields: {
        locationId: from('str_cd', codeDigits),
        memberId: from('cust_no', card),
        soldAt: from('sold_ts', storeTime),
        total: from('tot_amt', decimal(12, 2)),
        tender: from('tndr_cd', emptyAsNull(trimmed)),
      },
    }),
    'pos.tlog_ln': canonical('sale-line', {
      key: { saleId: from('bskt_no', basketNumber), lineNumber: from('ln_no', integer) },
      fields: {
        productId: from('prod_cd', digits),
        locationId: from('str_cd', codeDigits),
        memberId: from('cust_no', card),
        quantity: from('qty', notNegative(decimal(12, 3))),
        amount: from('net_amt', notNegative(decimal(12, 2))),
        discount: from('disc_amt', decimal(12, 2)),
        kind: from('typ_cd', oneOf({ S: 'SALE', R: 'RETURN' })),
        soldAt: from('sold_ts', storeTime),
      },
    }),
    'pos.cust': canonical('member-contact', {
      key: { memberId: from('cust_no', digits) },
      fields: { phone: from('tel_no', filled) },
      // A till's customer row is a copy of the member: it comes without a phone, and goes without taking the phone along.
      where: (row) => !isBlank(row.tel_no),
      onDelete: 'keep',
    }),
  },
});
