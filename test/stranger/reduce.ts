/**
 * Makes a failing round smaller while it fails in the same way: first only the tables of the finding, then fewer and fewer steps.
 * Each trial is a whole round on the servers, so their number is limited.
 */
import type { Size } from './generate.ts';
import { closure, FIRST_ROWS, type RoundPlan, restricted } from './plan.ts';

export type Reduced = { readonly plan: RoundPlan; readonly trials: number };

export async function reduce(
  plan: RoundPlan,
  tables: readonly string[],
  fails: (plan: RoundPlan) => Promise<boolean>,
  trialsMax: number,
): Promise<Reduced> {
  let trials = 0;
  const stillFails = async (smaller: RoundPlan) => {
    if (trials >= trialsMax) return false;
    trials += 1;
    return fails(smaller);
  };
  const few = restricted(plan, tables);
  let best = few.tables.length < plan.tables.length && (await stillFails(few)) ? few : plan;
  let part = Math.ceil(stepsOf(best).length / 2);
  while (part >= 1 && trials < trialsMax) {
    const smaller = await withoutAPart(best, part, stillFails);
    if (smaller !== undefined) best = smaller;
    else if (part === 1) break;
    part = Math.min(Math.ceil(part / (smaller === undefined ? 2 : 1)), Math.max(1, stepsOf(best).length - 1));
    if (stepsOf(best).length === 0) break;
  }
  return { plan: best, trials };
}

async function withoutAPart(
  plan: RoundPlan,
  part: number,
  stillFails: (plan: RoundPlan) => Promise<boolean>,
): Promise<RoundPlan | undefined> {
  const steps = stepsOf(plan);
  for (let start = 0; start < steps.length; start += part) {
    const kept = new Set(steps.filter((_, place) => place < start || place >= start + part));
    const smaller = restricted(
      plan,
      plan.tables.map(({ id }) => id),
      kept,
    );
    if (await stillFails(smaller)) return smaller;
  }
  return undefined;
}

export function stepsOf({ steps }: RoundPlan): string[] {
  return steps.filter(({ operation }) => operation !== FIRST_ROWS).map(({ id }) => id);
}

/** The command that runs exactly this plan again. */
export function commandOf(plan: RoundPlan, whole: RoundPlan, code?: string, size: Size = 'whole'): string {
  const parts = [`npm run stranger -- --seed ${plan.seed}`];
  if (size === 'small') parts.push('--small');
  if (code !== undefined) parts.push(`--code ${code}`);
  if (plan.tables.length < whole.tables.length) parts.push(`--tables ${plan.tables.map(({ id }) => id).join(',')}`);
  const steps = stepsOf(plan);
  const possible = stepsOf(
    restricted(whole, [
      ...closure(
        whole,
        plan.tables.map(({ id }) => id),
      ),
    ]),
  );
  if (steps.length < possible.length) parts.push(`--steps ${steps.join(',') || 'none'}`);
  return parts.join(' ');
}
