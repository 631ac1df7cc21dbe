import { Refusal } from '../../core/mapping.ts';
import { defineStep, emit } from '../../core/step.ts';

/** A completed plan of a web order asks for its shipment. Nothing takes the request back: the goods exist. */
export default defineStep({
  name: 'ship',
  from: 'production-plan',
  to: ['shipment-request'],
  run: ({ planId }, plan) => {
    if (plan === null || plan.status !== 'COMPLETED' || plan.orderId === null) return [];
    if (plan.completedAt === null) throw new Refusal('COMPLETED_WITHOUT_TIME', 'the plan is completed, but not when');
    return [
      emit(
        'shipment-request',
        { shipmentId: `SH-${planId.replace(/^PP-/, '')}` },
        {
          planId,
          orderId: plan.orderId,
          productId: plan.productId,
          locationId: plan.locationId,
          quantity: plan.quantity,
          declaredValue: plan.orderValue,
          requestedAt: plan.completedAt,
        },
      ),
    ];
  },
});
