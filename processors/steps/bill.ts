import { Refusal } from '../../core/mapping.ts';
import { defineStep, emit } from '../../core/step.ts';

/** A shipment of a web order that left asks for its invoice. Nothing takes the request back: finance voids an invoice. */
export default defineStep({
  name: 'bill',
  from: 'shipment',
  to: ['invoice-request'],
  run: ({ shipmentId }, shipment) => {
    if (shipment === null || shipment.status === 'REQUESTED' || shipment.orderId === null) return [];
    if (shipment.shippedAt === null) throw new Refusal('SHIPPED_WITHOUT_TIME', 'the shipment left, but not when');
    return [
      emit(
        'invoice-request',
        { invoiceId: `IN-${shipmentId.replace(/^SH-/, '')}` },
        {
          shipmentId,
          orderId: shipment.orderId,
          amount: shipment.declaredValue,
          currency: 'USD',
          requestedAt: shipment.shippedAt,
        },
      ),
    ];
  },
});
