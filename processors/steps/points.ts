import { floorDecimal } from '../../core/decimal.ts';
import { Refusal } from '../../core/mapping.ts';
import { defineStep, emit } from '../../core/step.ts';

const POINTS_MAX = 2n ** 31n - 1n;

/** One point for each whole unit of money on a line, for the member whose card was shown. A return takes them back. */
export default defineStep({
  name: 'points',
  from: 'sale-line',
  to: ['points-entry'],
  run: ({ saleId, lineNumber }, line) => {
    const key = { entryId: `${saleId}-${lineNumber}` };
    const earned = line === null || line.memberId === null ? 0 : pointsOf(line.amount);
    if (line === null || line.memberId === null || earned === 0) return [emit('points-entry', key, null)];
    return [
      emit('points-entry', key, {
        memberId: line.memberId,
        saleId,
        points: line.kind === 'SALE' ? earned : -earned,
        earnedAt: line.soldAt,
      }),
    ];
  },
});

function pointsOf(amount: string): number {
  const points = floorDecimal(amount);
  if (points < 0n)
    throw new Refusal('POINTS_NEGATIVE', 'the amount of the line is negative: a return is told by its kind');
  if (points > POINTS_MAX) throw new Refusal('POINTS_RANGE', 'the points of the line do not fit 32 bits');
  return Number(points);
}
