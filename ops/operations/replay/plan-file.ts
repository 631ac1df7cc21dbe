/** The plan of a replay: a file that says exactly what will be written once more, and what that did in a trial. */
import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { writePrivateFile } from '../../../adapters/private-file.ts';
import { parseConfig } from '../../../core/config.ts';
import { ConfigError } from '../../../core/errors.ts';
import { Effect } from './effect.ts';

const Offset = z.string().regex(/^\d+$/);
const Hex = z.string().regex(/^[0-9a-f]*$/);

/** A record of the log, told by its time: the log still holds the same record at this offset, or none. */
const Mark = z.strictObject({ offset: Offset, timestampMs: z.number() });

const Range = z.strictObject({
  partition: z.int().min(0),
  /** First offset. */
  from: Offset,
  /** First offset behind the range. */
  to: Offset,
  first: Mark.nullable(),
  last: Mark.nullable(),
});

/** Which records of the ranges: all that is named must be so. */
export const Filter = z.strictObject({
  keys: z.array(z.string()).optional(),
  system: z.string().optional(),
  /** Of the source's log, as 20 bytes: first, and first behind. */
  positionFrom: Hex.optional(),
  positionTo: Hex.optional(),
});
export type Filter = z.infer<typeof Filter>;

const TargetScope = z.strictObject({
  target: z.string(),
  topics: z.array(z.strictObject({ topic: z.string(), ranges: z.array(Range) })),
  /** Records in the ranges, and those that the filter takes. */
  read: z.int(),
  selected: z.int(),
  predicted: Effect,
  /** Transactions in which the trial counted. */
  chunks: z.int(),
  trialMs: z.number(),
  /** Finding and reading the ranges. */
  readMs: z.number(),
});
export type TargetScope = z.infer<typeof TargetScope>;
export type ScopeTopic = TargetScope['topics'][number];
export type ScopeRange = ScopeTopic['ranges'][number];

const common = {
  version: z.literal(1),
  id: z.string().regex(/^[a-z0-9-]{1,40}$/),
  createdAt: z.iso.datetime(),
  createdBy: z.string(),
  reason: z.string().min(1).max(1_000),
  /** What was asked for, in words. */
  asked: z.string(),
  /** Records a second, at most. */
  rate: z.int().min(1),
  /** Records in one transaction, at most. */
  batchRecordsMax: z.int().min(1),
  estimatedSeconds: z.number(),
  /** What whoever applies it must know. */
  notes: z.array(z.string()),
};

/** Canonical records → targets. */
export const ReplayPlan = z.strictObject({
  ...common,
  kind: z.literal('canonical'),
  filter: Filter,
  /** Also rows whose record is the ledger's own. */
  rewriteEqual: z.boolean(),
  targets: z.array(TargetScope).min(1),
});
export type ReplayPlan = z.infer<typeof ReplayPlan>;

const Count = z.int().min(0);

/** Raw records → canonical ones, translated again; targets follow by themselves. */
export const RawPlan = z.strictObject({
  ...common,
  kind: z.literal('raw'),
  source: z.strictObject({ topic: z.string(), system: z.string(), table: z.string(), ranges: z.array(Range) }),
  read: Count,
  /** Keys with a record in the ranges that still have a row. */
  keys: Count,
  /** To be translated. */
  records: Count,
  /** By entity: what the keys' newest records become, compared with what is in the canonical topic. */
  outcome: z.record(z.string(), z.strictObject({ same: Count, other: Count, added: Count, partial: Count })),
  /** By reason code. */
  refused: z.record(z.string(), Count),
  /** Echoes of what Seam wrote, changes that say nothing new. */
  dropped: Count,
  targets: z.array(TargetScope),
});
export type RawPlan = z.infer<typeof RawPlan>;
export type AnyPlan = ReplayPlan | RawPlan;

const AnyPlanFile = z.discriminatedUnion('kind', [ReplayPlan, RawPlan]);

export async function writePlan(file: string, plan: AnyPlan): Promise<void> {
  await writePrivateFile(file, `${JSON.stringify(plan, null, 2)}\n`);
}

export async function readPlan(file: string): Promise<AnyPlan> {
  let content: unknown;
  try {
    content = JSON.parse(await readFile(file, 'utf8'));
  } catch (cause) {
    throw new ConfigError({
      code: 'PLAN_UNREADABLE',
      message: `no plan can be read: ${(cause as Error).message}`,
      where: file,
      hint: 'make one; how a range is chosen: seam replay plan --help',
      cause,
    });
  }
  return parseConfig(AnyPlanFile, content, file);
}
