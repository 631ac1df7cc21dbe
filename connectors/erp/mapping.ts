import {
  bytes,
  codeDigits,
  date,
  decimal,
  digits,
  emptyAsNull,
  filled,
  localTime,
  oneOf,
  optional,
  text,
  trimmed,
} from '../../core/converters.ts';
import { canonical, constant, defineSource, from } from '../../core/mapping.ts';

export default defineSource({
  system: 'erp',
  tables: {
    'erp.loc': canonical('location', {
      key: { locationId: from('loc_cd', codeDigits) },
      fields: {
        name: from('nm', filled),
        kind: from('typ_cd', oneOf({ S: 'STORE', W: 'WAREHOUSE', B: 'BAKERY' })),
        timeZone: from('tz', filled),
        openedOn: from('opn_dt', optional(date)),
      },
    }),
    'erp.prod': canonical('product', {
      key: { productId: from('prod_no', digits) },
      fields: {
        description: from('descr', trimmed),
        department: from('dept', trimmed),
        category: from('ctgry', emptyAsNull(trimmed)),
        brand: from('brnd_cd', oneOf({ N: 'NATIONAL', P: 'PRIVATE' })),
        packageSize: from('pkg', emptyAsNull(trimmed)),
        unitCost: from('unit_cst', decimal(12, 4)),
        status: from('del_fg', oneOf({ N: 'ACTIVE', Y: 'DELISTED' })),
        specification: from('spec_txt', optional(text)),
        image: from('img', optional(bytes)),
      },
    }),
    'erp.prc': canonical('price', {
      key: { productId: from('prod_no', digits), zone: from('zn', filled) },
      fields: {
        amount: from('amt', decimal(10, 2)),
        currency: constant('USD'),
        validFrom: from('vld_frm', date),
        note: from('rem', emptyAsNull(trimmed)),
      },
    }),
    'erp.stk': canonical('stock-level', {
      key: { locationId: from('loc_cd', codeDigits), productId: from('prod_no', digits) },
      fields: {
        onHand: from('qoh', decimal(14, 3)),
        countedOn: from('cnt_dt', optional(date)),
      },
    }),
    'erp.prod_plan': canonical('production-plan', {
      key: { planId: from('plan_no', filled) },
      fields: {
        orderId: from('ord_no', emptyAsNull(trimmed)),
        productId: from('prod_no', digits),
        locationId: from('loc_cd', codeDigits),
        quantity: from('qty', decimal(12, 3)),
        orderValue: from('ord_val', decimal(12, 2)),
        status: from('stat', oneOf({ P: 'PLANNED', R: 'RUNNING', C: 'COMPLETED', X: 'CANCELLED' })),
        plannedFor: from('pln_dt', optional(date)),
        completedAt: from('cmpl_ts', optional(localTime('America/New_York'))),
      },
    }),
  },
});
