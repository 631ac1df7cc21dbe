/** Our sink as it ships, with its defaults, on the table of the comparisons. */
import { createBatchDecoder } from '../../adapters/canonical-batch.ts';
import { createCanonicalCodec } from '../../adapters/avro/canonical-codec.ts';
import { createMetaCodec, META_HEADER } from '../../adapters/avro/meta-codec.ts';
import { schemaIds } from '../../adapters/avro/wire.ts';
import { systemClock } from '../../adapters/clock.ts';
import { Registry } from '../../adapters/registry.ts';
import { entities } from '../../avro/generated/entities.ts';
import type { DialectName } from '../../core/target.ts';
import type { Connection } from '../../sinks/dialects/dialect.ts';
import type { DecodeBatch } from '../../sinks/engine/record.ts';
import { SinkSettings } from '../../sinks/engine/settings.ts';
import { runSink } from '../../sinks/main.ts';
import { canonicalSchema, ENTITY, entityNamed, entityOf, targetOf, type Width } from '../sink/shape.ts';
import { openLog, silentLogger } from '../support/servers.ts';
import { takeOrders } from './run-worker.ts';

export type SinkOrder = {
  readonly dialect: DialectName;
  readonly connection: Connection;
  readonly brokers: string;
  readonly registryUrl: string;
  /** One for each table. */
  readonly topics: readonly string[];
  readonly width: Width;
  readonly groupId: string;
};

takeOrders(async (order: SinkOrder) => {
  const sink = await runSink({
    target: targetOf(order.dialect, order.width, order.topics.length),
    entities: Object.fromEntries(
      order.topics.map((topic, index) => [entityNamed(index), entityOf(order.width, topic, entityNamed(index))]),
    ) as never,
    connection: order.connection,
    bidirectional: [],
    log: openLog(order.brokers, order.groupId),
    groupId: order.groupId,
    owner: `bench-${process.pid}`,
    decode: decoder(order),
    settings: SinkSettings.parse({}),
    clock: systemClock,
    logger: silentLogger,
  });
  const report = () => {
    const { state, reason, counts, partitions } = sink.status();
    return {
      state,
      ...(reason === undefined ? {} : { reason }),
      figures: { ...counts, partitions: partitions.length },
    };
  };
  return { done: sink.done, stop: sink.stop, report };
});

/** The shipped decoder knows the shipped entities by their topics; others of the same kind are read by the same codecs. */
function decoder({ registryUrl, width, topics }: SinkOrder): DecodeBatch {
  const registry = new Registry({ url: registryUrl }, systemClock);
  const shipped = createBatchDecoder(registry);
  if (width === 10 && topics.length === 1) return (batch) => shipped({ ...batch, topic: entities[ENTITY].topic });
  const codec = createCanonicalCodec(ENTITY, registry.lookup, canonicalSchema(width));
  const meta = createMetaCodec();
  return async (batch) => {
    const entity = entityNamed(topics.indexOf(batch.topic));
    await registry.load(schemaIds(batch.records.map(({ value }) => value)));
    return batch.records.map(({ key, value, headers }) => ({
      entity,
      key: Buffer.from(key as Uint8Array).toString('utf8'),
      value: value === null ? null : codec.decode(value),
      meta: meta.decode(headers[META_HEADER] as Uint8Array),
    }));
  };
}
