/** A generator of legacy databases and of what people do to them, on real servers: docs/stranger.md. */
import { appendFile, mkdir } from 'node:fs/promises';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { orUsage } from '../support/arguments.ts';
import { Coverage } from './coverage.ts';
import type { Finding, Outcome } from './finding.ts';
import { generate, type Size } from './generate.ts';
import { openEntryFor } from './open.ts';
import { type RoundPlan, restricted } from './plan.ts';
import { commandOf, reduce } from './reduce.ts';
import { runRound } from './round.ts';
import { World } from './world.ts';

const TRIALS_MAX = 8;
/** A fresh seed is the one of so many whose plan has most that was not met yet. */
const CANDIDATES = 60;
/** A small round gives no command that might heal later than so long after its time. */
const HEAL_MS_MAX = 180_000;
const INTERRUPTED = 130;
const USAGE =
  'npm run stranger -- [--seed N[,N…]] [--minutes M] [--rounds N] [--small] [--coverage [--coverage-file FILE]] [--code COMMIT|FOLDER] [--tables t1,t2] [--steps s1,s2|none] [--no-heal] [--no-reduce] [--out FILE]';
const { values } = orUsage(USAGE, () =>
  parseArgs({
    options: {
      seed: { type: 'string' },
      minutes: { type: 'string', default: '3' },
      rounds: { type: 'string' },
      small: { type: 'boolean', default: false },
      coverage: { type: 'boolean', default: false },
      'coverage-file': { type: 'string' },
      code: { type: 'string' },
      tables: { type: 'string' },
      steps: { type: 'string' },
      'no-heal': { type: 'boolean', default: false },
      'no-reduce': { type: 'boolean', default: false },
      out: { type: 'string' },
    },
  }),
);
/** One seed begins a row of rounds; several are several rounds; none means fresh ones. */
const seeds = values.seed?.split(',').map(Number) ?? [];
const size: Size = values.small ? 'small' : 'whole';
const isNarrowed = values.tables !== undefined || values.steps !== undefined;
const roundsMax = Number(values.rounds ?? (seeds.length > 1 ? seeds.length : isNarrowed ? 1 : Infinity));
const say = (line: string) => process.stdout.write(`${line}\n`);

if (seeds.every(Number.isSafeInteger) && Number(values.minutes) > 0) process.exitCode = await main();
else {
  process.stderr.write(`usage: ${USAGE}\n`);
  process.exitCode = 2;
}

async function main(): Promise<number> {
  const deadlineMs = Date.now() + Number(values.minutes) * 60_000;
  const coverage = new Coverage(values['coverage-file']);
  const world = await World.start(values.code);
  const interrupted = () => void world.stop().finally(() => process.exit(INTERRUPTED));
  process.once('SIGINT', interrupted).once('SIGTERM', interrupted);
  let fresh = 0;
  try {
    for (let round = 0; round === 0 || (Date.now() < deadlineMs && round < roundsMax); round += 1)
      fresh += await oneRound(world, seedOf(round, coverage), coverage, deadlineMs);
  } finally {
    await world.stop();
  }
  if (values.coverage) say(`\nfeature × operation\n${coverage.text(size)}`);
  say(`\n${fresh} findings that test/stranger/open.json does not know`);
  return fresh === 0 ? 0 : 1;
}

function seedOf(round: number, coverage: Coverage): number {
  const last = seeds.at(-1);
  if (last !== undefined) return seeds[round] ?? last + round - seeds.length + 1;
  const candidates = Array.from({ length: CANDIDATES }, () => Math.floor(Math.random() * 1_000_000));
  return coverage.seedOf(candidates, size);
}

/** How many findings were new. */
async function oneRound(world: World, seed: number, coverage: Coverage, deadlineMs: number): Promise<number> {
  const whole = generate(seed, size);
  const plan = narrowed(whole);
  say(`\nseed ${seed}: ${plan.tables.length} tables, ${plan.steps.length} steps`);
  for (const { id, features } of plan.tables) say(`    ${id}: ${features.join(', ')}`);
  const limits = size === 'whole' ? undefined : { stepsUntilMs: deadlineMs, healUntilMs: deadlineMs + HEAL_MS_MAX };
  const outcome = await runRound(world, plan, say, !values['no-heal'], limits);
  const done = restricted(plan, idsOf(plan), outcome.stepsDone);
  coverage.add(plan, outcome.met);
  await record(seed, outcome);
  const fresh = outcome.findings.filter((finding) => openEntryFor(finding) === undefined);
  for (const finding of fresh)
    say(`${finding.kind}: ${finding.tables.join(', ')}: ${again(restricted(done, finding.tables), whole)}`);
  const [worst] = fresh;
  if (worst !== undefined && !values['no-reduce'] && !isNarrowed) await makeSmaller(world, done, whole, worst);
  return fresh.length;
}

function idsOf({ tables }: RoundPlan): string[] {
  return tables.map(({ id }) => id);
}

function again(plan: RoundPlan, whole: RoundPlan): string {
  return commandOf(plan, whole, values.code, size);
}

function narrowed(whole: RoundPlan): RoundPlan {
  if (!isNarrowed) return whole;
  const tables = values.tables?.split(',') ?? idsOf(whole);
  return restricted(whole, tables, values.steps === undefined ? undefined : new Set(values.steps.split(',')));
}

async function makeSmaller(world: World, plan: RoundPlan, whole: RoundPlan, finding: Finding): Promise<void> {
  const isSame = (other: Finding) =>
    other.kind === finding.kind && other.tables.some((id) => finding.tables.includes(id));
  const fails = async (smaller: RoundPlan) =>
    (await runRound(world, smaller, () => {}, finding.kind === 'not healed')).findings.some(isSame);
  const { plan: least, trials } = await reduce(plan, finding.tables, fails, TRIALS_MAX);
  say(
    `\nafter ${trials} trials ${least.tables.length} tables and these steps are left: ${least.steps.map(({ operation }) => operation).join(', ')}`,
  );
  say(`again: ${again(least, whole)}`);
}

async function record(seed: number, { findings }: Outcome): Promise<void> {
  if (values.out === undefined) return;
  await mkdir(path.dirname(values.out), { recursive: true });
  for (const finding of findings) await appendFile(values.out, `${JSON.stringify({ seed, ...finding })}\n`);
}
