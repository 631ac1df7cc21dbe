import { negateDecimal } from '../../core/decimal.ts';
import { defineStep, emit } from '../../core/step.ts';

/** What a till sold has left the store's stock; what came back is in it again. */
export default defineStep({
  name: 'stock',
  from: 'sale-line',
  to: ['stock-movement'],
  run: ({ saleId, lineNumber }, line) => {
    const key = { movementId: `${saleId}-${lineNumber}` };
    if (line === null) return [emit('stock-movement', key, null)];
    return [
      emit('stock-movement', key, {
        productId: line.productId,
        locationId: line.locationId,
        quantity: line.kind === 'SALE' ? negateDecimal(line.quantity) : line.quantity,
        reason: line.kind,
        movedAt: line.soldAt,
      }),
    ];
  },
});
