/**
 * How far a connector's first snapshot has come, as its own offset says: it is written in one transaction with the rows, so an offset
 * behind the snapshot proves that every row is in the log.
 *
 * That holds only without the notification channel `sink`: Debezium writes its notifications with an offset of their own, an
 * empty one before the first row, which counts as a finished snapshot after any error. So the channel is off until the
 * connector streams, and on from the first time that tables are read again, which needs it.
 * docs/decisions/0014-first-snapshot.md
 */
import type { ConnectorConfig } from '../../adapters/connect-client.ts';
import { notificationTopic } from '../../processors/topics.ts';

type Offset = Readonly<Record<string, unknown>>;

/** `skipped`: an empty offset, which the connector takes for a finished snapshot although no row was read. */
export type FirstSnapshot = 'not begun' | 'running' | 'skipped' | 'finished';

export function firstSnapshot(offset: Offset | undefined): FirstSnapshot {
  if (offset === undefined) return 'not begun';
  if (Object.keys(offset).length === 0) return 'skipped';
  const { snapshot, snapshot_completed: isCompleted } = offset;
  const isRunning = snapshot !== undefined && snapshot !== false && isCompleted !== true && isCompleted !== 'true';
  return isRunning ? 'running' : 'finished';
}

const CHANNELS = 'notification.enabled.channels';
const TOPIC = 'notification.sink.topic.name';

export function tellsOfReadings(config: ConnectorConfig): boolean {
  return (config[CHANNELS] ?? '').split(',').includes('sink');
}

export function withoutNotifications(config: ConnectorConfig): ConnectorConfig {
  const { [CHANNELS]: _channels, [TOPIC]: _topic, ...rest } = config;
  return rest;
}

export function withNotifications(config: ConnectorConfig, system: string): ConnectorConfig {
  return { ...config, [CHANNELS]: 'sink', [TOPIC]: notificationTopic(system) };
}
