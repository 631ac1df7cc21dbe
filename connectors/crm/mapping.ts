import {
  bigInteger,
  codeDigits,
  date,
  decimal,
  digits,
  emptyAsNull,
  filled,
  instant,
  integer,
  isBlank,
  oneOf,
  optional,
  text,
  trimmed,
  uuid,
} from '../../core/converters.ts';
import { canonical, defineSource, from } from '../../core/mapping.ts';

export default defineSource({
  system: 'crm',
  tables: {
    'crm.mbr': [
      canonical('member', {
        key: { memberId: from('mbr_id', digits) },
        fields: {
          fullName: from('nm', trimmed),
          email: from('eml', emptyAsNull(trimmed)),
          birthDate: from('brth_dt', optional(date)),
          tier: from('tier_cd', oneOf({ B: 'BASE', S: 'SILVER', G: 'GOLD' })),
          status: from('stat_cd', oneOf({ A: 'ACTIVE', C: 'CLOSED' })),
          pointsBalance: from('pts_bal', bigInteger),
          joinedOn: from('jn_dt', optional(date)),
          reference: from('ref', optional(uuid)),
        },
      }),
      canonical('member-contact', {
        key: { memberId: from('mbr_id', digits) },
        fields: { phone: from('tel', filled) },
        // A contact is there while there is a phone: see docs/decisions/0003-canonical-model.md.
        where: (row) => !isBlank(row.tel),
      }),
    ],
    'crm.web_ord': canonical('sales-order', {
      key: { orderId: from('ord_no', digits) },
      fields: {
        memberId: from('mbr_id', digits),
        productId: from('prod', digits),
        locationId: from('str', codeDigits),
        quantity: from('qty', decimal(12, 3)),
        unitPrice: from('unit_prc', decimal(10, 2)),
        orderedAt: from('ord_ts', instant),
        status: from('stat', oneOf({ N: 'NEW', X: 'CANCELLED' })),
        message: from('msg', optional(text)),
      },
    }),
    'crm.mkt_srvy': canonical('market-survey', {
      key: { week: from('wk', integer), productId: from('prod', digits), competitor: from('comp', filled) },
      fields: {
        marketUnits: from('units', bigInteger),
        averagePrice: from('avg_prc', decimal(10, 2)),
        surveyedOn: from('srv_dt', optional(date)),
      },
    }),
  },
});
