import { fitDecimal, multiplyDecimals } from '../../core/decimal.ts';
import { defineStep, emit } from '../../core/step.ts';

/** A web order asks production for a plan; a cancelled one withdraws it. */
export default defineStep({
  name: 'plan',
  from: 'sales-order',
  to: ['production-plan-request'],
  run: ({ orderId }, order) => {
    const key = { planId: `PP-${orderId}` };
    if (order === null || order.status === 'CANCELLED') return [emit('production-plan-request', key, null)];
    return [
      emit('production-plan-request', key, {
        orderId,
        productId: order.productId,
        locationId: order.locationId,
        quantity: order.quantity,
        orderValue: fitDecimal(multiplyDecimals(order.quantity, order.unitPrice), 12, 2),
        requestedAt: order.orderedAt,
      }),
    ];
  },
});
