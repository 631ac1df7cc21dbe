/** Runs a plan on the world's servers, and judges every table in the end. */
import type { Outcome } from './finding.ts';
import { judge } from './judge.ts';
import type { RoundPlan } from './plan.ts';
import { type Limits, RunningRound } from './running-round.ts';
import type { World } from './world.ts';

export async function runRound(
  world: World,
  plan: RoundPlan,
  say: (line: string) => void,
  heals: boolean,
  limits?: Limits,
): Promise<Outcome> {
  const round = new RunningRound(world, plan, say, limits);
  try {
    await round.begin();
    await round.trade();
    await judge(round, heals);
  } catch (error) {
    round.note(`the round itself failed: ${(error as Error).stack ?? error}`);
    throw error;
  } finally {
    await round.end().catch((error) => say(`clean-up: ${error}`));
  }
  return round.outcome();
}
