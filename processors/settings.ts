import { z } from 'zod';
import { RECORD_BYTES_MAX } from '../core/record-limits.ts';

export const ProcessorSettings = z.strictObject({
  groupPrefix: z.string().min(1).default('seam').meta({
    description: 'Prefix of the consumer groups and transactional ids. Workers with one prefix share the work.',
  }),
  transactionRecordsMax: z
    .int()
    .min(1)
    .max(50_000)
    .default(10_000)
    .meta({ description: 'Most records read for one transaction.' }),
  transactionBytesMax: z
    .int()
    .min(1_000)
    .default(16_000_000)
    .meta({ description: 'Most bytes read for one transaction; a single record may be larger.' }),
  transactionEveryMs: z.int().min(0).max(10_000).default(30).meta({
    description:
      'Shortest time between the starts of two transactions of a task. A change that comes alone never waits.',
  }),
  bufferRecordsMax: z.int().min(1).default(20_000).meta({
    description: 'Records of one partition kept in memory, as they were fetched, before it is fetched no further.',
  }),
  retryDelayMs: z.int().min(1).default(200).meta({ description: 'First pause after a fault that may pass by itself.' }),
  retryDelayMsMax: z.int().min(10).default(30_000).meta({ description: 'Longest pause between two attempts.' }),
  retryAttemptsMax: z
    .int()
    .min(1)
    .default(1_000)
    .meta({ description: 'Attempts after which a topic stops, uncommitted; with the longest pauses over 8 hours.' }),
  restartDelayMs: z
    .int()
    .min(1)
    .default(1_000)
    .meta({ description: 'Pause before a stage that lost its place in the group joins again.' }),
  joinPatienceMs: z
    .int()
    .min(100)
    .default(15_000)
    .meta({ description: 'After this long outside its group a stage shows itself as degraded.' }),
  laterRecords: z.enum(['heal', 'wait', 'take-over']).default('heal').meta({
    description:
      'Records of a key whose earlier record was refused. `heal`: a newer record that says everything which the refused one could have said takes its place, so a row corrected at the source heals by itself; all others wait behind it, in order, until an operator retries or discards it. `wait`: all wait. `take-over`: they flow; what only the refused record said (the end of an old key) is lost.',
  }),
  parkedRecordsMax: z
    .int()
    .min(1)
    .max(1_000_000)
    .default(10_000)
    .meta({ description: 'Records set aside of one partition of a topic; beyond it that partition stops.' }),
  hopsMax: z
    .int()
    .min(1)
    .max(100)
    .default(5)
    .meta({ description: 'How often Seam may cause a change itself before the change is set aside.' }),
  acceptMissingHistory: z.boolean().default(false).meta({
    description:
      'Start although records of an input topic are gone unread, or a topic was made again: reads on at its beginning. For one start, after the sources were read again.',
  }),
  positionEpochs: z.record(z.string(), z.int().min(0).max(65_535)).default({}).meta({
    description:
      'By system: lowest epoch of its positions. `seam connectors recover` raises the epoch itself, record by record.',
  }),
  topicWaitMsMax: z
    .int()
    .min(0)
    .default(45_000)
    .meta({ description: 'How long to wait for input topics to be created.' }),
});
export type ProcessorSettings = z.infer<typeof ProcessorSettings>;

export const TopicSettings = z.strictObject({
  partitions: z.int().min(1).max(256).default(4).meta({ description: 'Partitions of every topic that is created.' }),
  rawRetentionMs: z
    .int()
    .min(60_000)
    .default(7 * 86_400_000)
    .meta({ description: 'How long raw records are kept: the longest outage that is caught up from the log.' }),
  compactionLagMs: z
    .int()
    .min(0)
    .default(7 * 86_400_000)
    .meta({ description: 'How long canonical topics keep every version of a record before only the newest is kept.' }),
  tombstoneRetentionMs: z
    .int()
    .min(60_000)
    .default(7 * 86_400_000)
    .meta({ description: 'How long canonical topics keep a tombstone: a reader away for longer misses deletes.' }),
  recordBytesMax: z
    .int()
    .min(1_000_000)
    .default(RECORD_BYTES_MAX)
    .meta({ description: 'Largest record of any topic. The brokers must take it too.' }),
});
export type TopicSettings = z.infer<typeof TopicSettings>;
