import type { Command } from 'commander';
import { partitionOf } from '../../adapters/kafka/partitioner.ts';
import { ConfigError, EXIT_CODES } from '../../core/errors.ts';
import { applyReplay } from '../../ops/operations/replay/apply.ts';
import { operatorName, rawParts, replayParts } from '../../ops/operations/replay/deployment.ts';
import { planReplay, TRIAL_LIMITS, WINDOW_LIMITS } from '../../ops/operations/replay/plan.ts';
import {
  type AnyPlan,
  type RawPlan,
  readPlan,
  type ReplayPlan,
  writePlan,
} from '../../ops/operations/replay/plan-file.ts';
import { cancelReplay, replayProgress, unknownReplay } from '../../ops/operations/replay/progress.ts';
import { applyRaw } from '../../ops/operations/replay/raw-apply.ts';
import { planRaw } from '../../ops/operations/replay/raw-plan.ts';
import { rawSelectionOf } from '../../ops/operations/replay/raw-source.ts';
import { type Asked, selectionOf } from '../../ops/operations/replay/selection.ts';
import { deploymentOf, withDeployment } from '../deployment-option.ts';
import { planText, progressLine, recordsText } from '../replay-text.ts';
import { agreed, bar, interruptible, openTerminal } from '../terminal.ts';

type Common = { deployment: string; json?: boolean };
type PlanOptions = Common & {
  target: string[];
  topic: string[];
  from?: string;
  to?: string;
  offsets: string[];
  key: string[];
  system?: string;
  raw?: string;
  table?: string;
  positionFrom?: string;
  positionTo?: string;
  reason: string;
  rate: string;
  batch: string;
  rewriteEqual?: boolean;
  acceptMissing?: boolean;
  output: string;
};

export function register(program: Command): void {
  const replay = program
    .command('replay')
    .description('write records of the log once more: plan with a trial, apply beside live traffic, stop and go on');
  registerPlan(replay);
  withDeployment(replay.command('apply'))
    .description('write what a plan names; run it again to go on where it stopped')
    .argument('<plan>', 'file made by: seam replay plan')
    .option('--yes', 'without asking')
    .option('--json', 'print JSON')
    .action((file: string, options: Common & { yes?: boolean }) => apply(file, options));
  withDeployment(replay.command('watch'))
    .description('what targets say of a replay')
    .argument('<replay>', 'its id, or the file of its plan')
    .option('--json', 'print JSON')
    .action((name: string, options: Common) => watch(name, options));
  withDeployment(replay.command('cancel'))
    .description('end a replay for good; what it wrote stays')
    .argument('<replay>', 'its id, or the file of its plan')
    .option('--yes', 'without asking')
    .option('--json', 'print JSON')
    .action((name: string, options: Common & { yes?: boolean }) => cancel(name, options));
}

const list = (value: string, before: string[]): string[] => [...before, value];

function registerPlan(replay: Command): void {
  withDeployment(replay.command('plan'))
    .description(
      'say exactly what would be written once more, and what that would do, from a trial that is rolled back',
    )
    .option('--target <system>', 'target; all that take the topics when left out (may be repeated)', list, [])
    .option('--topic <topic>', 'canonical topic; all of the targets when left out (may be repeated)', list, [])
    .option('--from <time>', 'first record: 10m (ten minutes ago), 2026-11-23 02:00 (local), 2026-11-23T02:00:00Z')
    .option('--to <time>', 'first record that is left out')
    .option('--offsets <range>', 'partition:first-end of one topic, in place of times (may be repeated)', list, [])
    .option('--key <key>', 'records of this key only (may be repeated)', list, [])
    .option('--system <system>', 'records that this system made first')
    .option('--raw <topic>', 'raw topic, to be translated again by a corrected mapping; or name --system and --table')
    .option('--table <table>', 'table of --system, to be translated again')
    .option('--position-from <position>', "place in that system's log: mysql-bin.000412:1234, 0/16B3748")
    .option('--position-to <position>', 'first place that is left out')
    .requiredOption('--reason <text>', 'why; every target keeps it')
    .option('--rate <records>', 'records a second, at most', '1000')
    .option('--batch <records>', 'records in one transaction, at most', '200')
    .option('--rewrite-equal', "also rows whose record is the ledger's own: after the target's declaration changed")
    .option('--accept-missing', 'replay what is left of a range of which the log has lost a part')
    .option('--output <file>', 'the plan', 'replay-plan.json')
    .option('--json', 'print JSON')
    .action(plan);
}

async function plan(options: PlanOptions): Promise<void> {
  const made = await (options.raw === undefined && options.table === undefined ? planTargets : planTable)(options);
  await writePlan(options.output, made);
  if (options.json) process.stdout.write(`${JSON.stringify(made)}\n`);
  else process.stdout.write(`${planText(made)}\napply it with: seam replay apply ${options.output}\n`);
}

const partitionOfKey = (key: string, partitions: number) => partitionOf(Buffer.from(key, 'utf8'), partitions);

async function planTargets(options: PlanOptions): Promise<AnyPlan> {
  const parts = await replayParts(await deploymentOf(options));
  const terminal = openTerminal();
  return interruptible((signal) =>
    planReplay(parts, {
      selection: selectionOf(askedOf(options), parts.clock.nowMs()),
      partitionOf: partitionOfKey,
      acceptMissing: options.acceptMissing ?? false,
      rewriteEqual: options.rewriteEqual ?? false,
      ...limitsOf(options),
      limits: WINDOW_LIMITS,
      trial: TRIAL_LIMITS,
      signal,
      onTarget: (system) => terminal.live(`counting in ${system}, each transaction rolled back …`),
    }).finally(() => terminal.close()),
  );
}

async function planTable(options: PlanOptions): Promise<AnyPlan> {
  const { parts, close } = await rawParts(await deploymentOf(options));
  const terminal = openTerminal();
  terminal.live('translating, and trying in each target what comes of it; nothing is written …');
  try {
    const selection = rawSelectionOf(askedOf(options), options, parts.replay.clock.nowMs());
    return await interruptible((signal) =>
      planRaw(parts, {
        ...selection,
        partitionOf: partitionOfKey,
        acceptMissing: options.acceptMissing ?? false,
        ...limitsOf(options),
        signal,
      }),
    );
  } finally {
    terminal.close();
    await close();
  }
}

function limitsOf({ rate, batch, reason }: PlanOptions) {
  return {
    rate: wholeNumber('--rate', rate),
    batchRecordsMax: wholeNumber('--batch', batch),
    reason,
    by: operatorName(),
  };
}

function askedOf(options: PlanOptions): Asked {
  const { target, topic, key, offsets, from, to, system, positionFrom, positionTo } = options;
  return { targets: target, topics: topic, keys: key, offsets, from, to, system, positionFrom, positionTo };
}

async function apply(file: string, options: Common & { yes?: boolean }): Promise<void> {
  const made = await readPlan(file);
  if (!options.json) process.stdout.write(planText(made));
  const question = made.kind === 'raw' ? 'translate this again?' : `write this to ${targetsOf(made)}?`;
  if (!(await agreed(options, question))) return;
  const isDone = await (made.kind === 'raw' ? applyTable(made, options) : applyTargets(made, options));
  if (isDone) return;
  process.stderr.write(`stopped; to go on: seam replay apply ${file}\n`);
  process.exitCode = EXIT_CODES.interrupted;
}

const targetsOf = (made: AnyPlan): string => made.targets.map(({ target }) => target).join(', ');

async function applyTargets(made: ReplayPlan, options: Common): Promise<boolean> {
  const parts = await replayParts(await deploymentOf(options));
  const terminal = openTerminal();
  const startedMs = parts.clock.elapsedMs();
  const records = await interruptible((signal) =>
    applyReplay(parts, made, {
      by: operatorName(),
      limits: WINDOW_LIMITS,
      signal,
      onProgress: (progress) => terminal.live(progressLine(made, progress, parts.clock.elapsedMs() - startedMs)),
      onTrouble: (target, error) => {
        if (error !== undefined) terminal.line(`${target}: ${error.message} [${error.code}], trying again`);
      },
    }).finally(() => terminal.close()),
  );
  show(made.id, records, options);
  return [...records.values()].every(({ state }) => state === 'done');
}

async function applyTable(made: RawPlan, options: Common): Promise<boolean> {
  const { parts, close } = await rawParts(await deploymentOf(options));
  const terminal = openTerminal();
  try {
    const applied = await interruptible((signal) =>
      applyRaw(parts, made, {
        by: operatorName(),
        signal,
        onProgress: (sent, planned) => terminal.live(`${bar(sent, planned)} ${sent} of ${planned} sent`),
      }).finally(() => terminal.close()),
    );
    process.stdout.write(
      options.json
        ? `${JSON.stringify({ id: made.id, ...applied })}\n`
        : `replay ${made.id}: ${applied.state}, ${applied.sent} records translated again in ${applied.rounds} rounds\n`,
    );
    return applied.state === 'done';
  } finally {
    await close();
  }
}

async function watch(name: string, options: Common): Promise<void> {
  const { id, made } = await named(name);
  const records = await replayProgress(await replayParts(await deploymentOf(options)), id, made);
  if (records.size === 0 && made === undefined) throw unknownReplay(id);
  if (records.size === 0 && !options.json) process.stdout.write(`replay ${id}: planned, not applied yet\n`);
  else show(id, records, options);
}

async function cancel(name: string, options: Common & { yes?: boolean }): Promise<void> {
  const { id, made } = await named(name);
  const parts = await replayParts(await deploymentOf(options));
  if (!options.json) show(id, await replayProgress(parts, id, made), options);
  if (!(await agreed(options, `end replay ${id} for good? what it wrote stays`))) return;
  show(id, await cancelReplay(parts, id, operatorName(), made), options);
}

/** An id is short and has no dot; everything else is a file. */
async function named(name: string): Promise<{ id: string; made: AnyPlan | undefined }> {
  if (/^[a-z0-9-]{1,40}$/.test(name)) return { id: name, made: undefined };
  const made = await readPlan(name);
  return { id: made.id, made };
}

function show(id: string, records: Parameters<typeof recordsText>[1], { json }: Common): void {
  process.stdout.write(
    json === true ? `${JSON.stringify({ id, targets: Object.fromEntries(records) })}\n` : recordsText(id, records),
  );
}

function wholeNumber(option: string, text: string): number {
  const value = Number(text);
  if (Number.isSafeInteger(value) && value > 0) return value;
  throw new ConfigError({ code: 'OPTION_WRONG', message: `${option} takes a whole number above 0, not "${text}"` });
}
