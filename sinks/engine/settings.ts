import { z } from 'zod';

export const SinkSettings = z.strictObject({
  batchRecordsMax: z
    .int()
    .min(1)
    .max(10_000)
    .default(2_000)
    .meta({ description: 'Records written in one transaction.' }),
  batchEveryMs: z.int().min(0).max(10_000).default(20).meta({
    description: 'Shortest time between the starts of two transactions. A record that comes alone never waits.',
  }),
  retryDelayMsMax: z
    .int()
    .min(10)
    .max(600_000)
    .default(30_000)
    .meta({ description: 'Longest pause between two attempts to write a batch.' }),
  retryAttemptsMax: z
    .int()
    .min(1)
    .max(10_000)
    .default(120)
    .meta({ description: 'Attempts to write a batch before the sink stops without having written it.' }),
  statementTimeoutMs: z.int().min(100).max(600_000).default(30_000).meta({
    description: 'Longest time of one statement, of a wait for a lock and of an idle transaction in the target.',
  }),
  laterRecords: z.enum(['heal', 'wait', 'take-over']).default('heal').meta({
    description:
      'Records of a key whose earlier record was refused. `heal`: a newer record that carries the whole row takes its place at once, so a row corrected at the source heals by itself; one that lacks fields waits behind it. `wait`: all wait, in order, until an operator retries or discards it. `take-over`: as `heal`, and one that lacks fields is written too, with what the refused one said of them.',
  }),
  parkedRecordsMax: z
    .int()
    .min(1)
    .max(1_000_000)
    .default(10_000)
    .meta({ description: 'Records set aside in the target; beyond it the sink stops.' }),
  parkedRetryMs: z.int().min(10).max(600_000).default(1_000).meta({
    description: 'First pause before a record that waits for another row is tried again; doubles up to 256 times.',
  }),
  tableLookMs: z.int().min(100).max(60_000).default(30_000).meta({
    description: "How often the target's tables are compared with target.ts while the sink runs.",
  }),
  echoRetentionDays: z
    .int()
    .min(1)
    .max(365)
    .default(7)
    .meta({ description: 'Days for which hashes of written rows are kept to recognise their echo.' }),
  rewriteEqual: z.boolean().default(false).meta({
    description:
      "Write rows again whose record is the ledger's own: for a replay after the target's declaration changed.",
  }),
});
export type SinkSettings = z.infer<typeof SinkSettings>;
