/**
 * Reads what Debezium tells beside the rows, as it comes: its notifications of how a snapshot goes, and our marks with their
 * position. Both topics have one partition.
 */
import { createRawDecoder } from '../../adapters/avro/raw-codec.ts';
import { schemaIds } from '../../adapters/avro/wire.ts';
import type { Registry } from '../../adapters/registry.ts';
import type { ChangeEvent } from '../../core/change-event.ts';
import { epochOf, toChangeEvent } from '../../core/debezium.ts';
import { TransientError } from '../../core/errors.ts';
import type { Clock, Log, LogRecord } from '../../core/ports.ts';
import { notificationTopic, rawTopic, SIGNAL_TABLE } from '../../processors/topics.ts';
import { leaveMark, removeMark } from './signals.ts';
import type { SourceSession } from './source-session.ts';

export type Watch = {
  readonly log: Log;
  readonly registry: Registry;
  readonly clock: Clock;
  readonly system: string;
  /** Rejects when the connector has stopped, with the reason: asked while nothing comes. */
  readonly refuse: () => Promise<void>;
  readonly signal: AbortSignal;
};

export type Notification = {
  readonly id: string;
  readonly aggregate: string;
  readonly type: string;
  readonly facts: Readonly<Record<string, string>>;
};

export type Mark = Pick<ChangeEvent, 'position' | 'orderTimeUs'>;

const SILENCE_MS_MAX = 120_000;
const LOOK_EVERY_MS = 500;
/** While nothing comes, the connector itself is asked after so long, and again each time. */
const ASK_EVERY_MS = 3_000;

export async function endOf(log: Log, topic: string): Promise<bigint> {
  const admin = await log.admin();
  try {
    return (await admin.bounds(topic))[0]?.latest ?? 0n;
  } finally {
    await admin.close();
  }
}

export const markTopic = (system: string): string => rawTopic(system, SIGNAL_TABLE);

/** Where this mark stands in the source's log. */
export function awaitMark(watch: Watch, from: bigint, id: string): Promise<Mark> {
  const decoder = createRawDecoder(watch.registry.lookup);
  return follow(watch, markTopic(watch.system), from, (record) => {
    if (record.value === null) return undefined;
    const envelope = decoder.value(record.value);
    if (envelope.after?.id !== id) return undefined;
    const { system } = watch;
    const context = { system, table: SIGNAL_TABLE, epoch: epochOf(record.headers) };
    const { position, orderTimeUs } = toChangeEvent(envelope, context);
    return { position, orderTimeUs };
  });
}

/** Everything that is in the source's log now has come out of the connector. */
export async function passMark(watch: Watch, session: SourceSession, name: string): Promise<Mark> {
  const from = await endOf(watch.log, markTopic(watch.system));
  const id = `${name}-${watch.clock.nowMs()}`.slice(0, 64);
  await leaveMark(session, id);
  const mark = await awaitMark(watch, from, id);
  await removeMark(session, id);
  return mark;
}

/** Until `until` answers something; it sees every notification. */
export function followNotifications<T>(
  watch: Watch,
  from: bigint,
  until: (notification: Notification) => T | undefined,
): Promise<T> {
  const read = notificationReader(watch.registry);
  return follow(watch, notificationTopic(watch.system), from, (record) => {
    const notification = read(record);
    return notification === undefined ? undefined : until(notification);
  });
}

export function notificationDecoder(registry: Registry): (records: readonly LogRecord[]) => Promise<Notification[]> {
  const read = notificationReader(registry);
  return async (records) => {
    await registry.load(schemaIds(records.map(({ value }) => value)));
    return records.flatMap((record) => read(record) ?? []);
  };
}

/** The schemas of the record are loaded. */
function notificationReader(registry: Registry): (record: LogRecord) => Notification | undefined {
  const decoder = createRawDecoder(registry.lookup);
  return ({ value }) => {
    if (value === null) return undefined;
    const { id, aggregate_type, type, additional_data } = decoder.key(value);
    const facts = typeof additional_data === 'string' ? JSON.parse(additional_data) : {};
    return { id: String(id), aggregate: String(aggregate_type), type: String(type), facts };
  };
}

/** Rejects when nothing at all came for two minutes: a connector that runs would have said something. */
async function follow<T>(
  { log, registry, clock, system, refuse, signal }: Watch,
  topic: string,
  from: bigint,
  read: (record: LogRecord) => T | undefined,
): Promise<T> {
  const groupId = `seam-watch-${system}-${clock.nowMs()}-${Math.random().toString(36).slice(2)}`;
  const consumer = log.consumer({ groupId, topics: [topic], assignment: 'spread' });
  const found = Promise.withResolvers<T>();
  found.promise.catch(() => {});
  const over = new AbortController();
  let lastMs = clock.elapsedMs();
  const running = consumer.run({
    assigned: async (partitions) => partitions.map((place) => ({ ...place, offset: from })),
    revoked: async () => {},
    batch: async ({ records }) => {
      lastMs = clock.elapsedMs();
      await registry.load(schemaIds(records.map(({ value }) => value)));
      for (const record of records) {
        const answer = read(record);
        if (answer !== undefined) return found.resolve(answer);
      }
    },
  });
  running.catch(found.reject);
  const interrupt = () => found.reject(signal.reason);
  signal.addEventListener('abort', interrupt, { once: true });
  if (signal.aborted) interrupt();
  const watching = (async () => {
    for (let askedMs = lastMs; !over.signal.aborted; ) {
      await clock.pause(LOOK_EVERY_MS, over.signal);
      const nowMs = clock.elapsedMs();
      if (nowMs - lastMs > SILENCE_MS_MAX) found.reject(silent(system, topic));
      if (over.signal.aborted || nowMs - Math.max(askedMs, lastMs) < ASK_EVERY_MS) continue;
      await refuse().catch(found.reject);
      askedMs = nowMs;
    }
  })();
  try {
    return await found.promise;
  } finally {
    signal.removeEventListener('abort', interrupt);
    over.abort();
    await watching;
    await consumer.stop().catch(() => {});
    await running.catch(() => {});
  }
}

function silent(system: string, topic: string): TransientError {
  return new TransientError({
    code: 'CONNECTOR_SILENT',
    message: `the connector of ${system} has said nothing for ${SILENCE_MS_MAX / 1_000} s`,
    where: topic,
    hint: 'run: seam connectors status; once it runs, the same command again goes on where this one stopped',
  });
}
