/** Every topic that processors read and write, with its settings: created before the first record. */
import type { SourceMapping } from '../core/mapping.ts';
import { topicPart } from '../core/names.ts';
import type { LogAdmin } from '../core/ports.ts';
import { CANONICALIZE } from './canonicalize.ts';
import type { Entities } from './compile-mapping.ts';
import { FLOW } from './flow.ts';
import type { TopicSettings } from './settings.ts';
import { deadLetterTopic, redriveTopic } from './stage.ts';

export type PlannedTopic = Parameters<LogAdmin['createTopics']>[0][number] & {
  readonly kind: 'raw' | 'canonical' | 'dead-letter' | 'redrive' | 'watch';
};

/** What Debezium tells beside the rows: its own table of requests and marks, as it stands in the log, and how a snapshot goes. */
export const SIGNAL_TABLE = 'seam.signal';

export function notificationTopic(system: string): string {
  return `notification.${system}`;
}

/** As the connector names it: characters that Kafka doesn't take are spelled by their numbers (ops/operations/connector-settings.ts). */
export function rawTopic(system: string, table: string): string {
  return `raw.${system}.${topicPart(table)}`;
}

/** Of captured tables only: an ignored table is captured, or it would not have to be ignored. */
export function topicPlan(
  mappings: readonly SourceMapping[],
  entities: Entities,
  settings: TopicSettings,
): PlannedTopic[] {
  const { partitions } = settings;
  const limit = { 'max.message.bytes': String(settings.recordBytesMax) };
  const raw = mappings.flatMap(({ system, tables }) => Object.keys(tables).map((table) => rawTopic(system, table)));
  // of one partition: they are read in the order of the source's log
  const watched = mappings.flatMap(({ system }) => [rawTopic(system, SIGNAL_TABLE), notificationTopic(system)]);
  return [
    ...watched.map((topic): PlannedTopic => {
      const retention = { 'cleanup.policy': 'delete', 'retention.ms': String(settings.rawRetentionMs) };
      return { kind: 'watch', topic, partitions: 1, config: { ...limit, ...retention } };
    }),
    ...raw.map((topic): PlannedTopic => {
      const retention = { 'cleanup.policy': 'delete', 'retention.ms': String(settings.rawRetentionMs) };
      return { kind: 'raw', topic, partitions, config: { ...limit, ...retention } };
    }),
    ...Object.values(entities).map(({ topic }): PlannedTopic => {
      const compaction = {
        'cleanup.policy': 'compact',
        'min.compaction.lag.ms': String(settings.compactionLagMs),
        'delete.retention.ms': String(settings.tombstoneRetentionMs),
      };
      return { kind: 'canonical', topic, partitions, config: { ...limit, ...compaction } };
    }),
    // what is set aside is kept until it has landed; a tombstone may go early, since tasks read from the beginning
    ...[CANONICALIZE, FLOW].map((stage): PlannedTopic => {
      const config = { ...limit, 'cleanup.policy': 'compact' };
      return { kind: 'dead-letter', topic: deadLetterTopic(stage), partitions, config };
    }),
    ...[CANONICALIZE, FLOW].map((stage): PlannedTopic => {
      const retention = { 'cleanup.policy': 'delete', 'retention.ms': String(settings.rawRetentionMs) };
      return { kind: 'redrive', topic: redriveTopic(stage), partitions, config: { ...limit, ...retention } };
    }),
  ];
}
