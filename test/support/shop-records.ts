/** Canonical records of the small shop, short to write: only what a test is about. */
import type { CanonicalFields } from '../../core/canonical-record.ts';
import { record, type RecordOptions } from './test-log.ts';

export const PRODUCT = {
  productId: '1',
  description: 'Bread',
  department: 'BAKERY',
  brand: 'NATIONAL',
  unitCost: '1.5000',
  status: 'ACTIVE',
};
export const product = (fields: CanonicalFields, options: RecordOptions & { gone?: boolean }) =>
  record('product', { ...PRODUCT, ...fields }, options);
export const memberOf = (fields: CanonicalFields, options: RecordOptions & { gone?: boolean }) =>
  record(
    'member',
    { memberId: '7', fullName: 'Ann', tier: 'BASE', status: 'ACTIVE', pointsBalance: 0n, ...fields },
    options,
  );
export const phone = (memberId: string, text: string | null, options: RecordOptions & { gone?: boolean }) =>
  record('member-contact', { memberId, phone: text }, options);
export const moved = (
  movementId: string,
  quantity: string,
  options: RecordOptions & { gone?: boolean; place?: string },
) =>
  record(
    'stock-movement',
    { movementId, productId: '1', locationId: options.place ?? '330', quantity, reason: 'SALE', movedAt: 0n },
    options,
  );
export const earned = (
  entryId: string,
  memberId: string,
  amount: number,
  options: RecordOptions & { gone?: boolean },
) =>
  record('points-entry', { entryId, memberId, saleId: '1', points: amount, earnedAt: 1_600_000_000_123_456n }, options);
export const ordered = (orderId: string, quantity: string, options: RecordOptions & { gone?: boolean }) =>
  record(
    'sales-order',
    {
      orderId,
      memberId: '7',
      productId: '1',
      locationId: '330',
      quantity,
      unitPrice: '1.00',
      orderedAt: 0n,
      status: 'NEW',
    },
    options,
  );
export const billed = (invoiceId: string, amount: string, options: RecordOptions & { gone?: boolean }) =>
  record(
    'invoice-request',
    { invoiceId, shipmentId: 'S', orderId: 'O', amount, currency: 'USD', requestedAt: 0n },
    options,
  );
