/** Every cross-system step: one line each. */
import type { Step } from '../../core/step.ts';
import bill from './bill.ts';
import plan from './plan.ts';
import points from './points.ts';
import ship from './ship.ts';
import stock from './stock.ts';

export const steps: readonly Step[] = [stock, points, plan, ship, bill];
