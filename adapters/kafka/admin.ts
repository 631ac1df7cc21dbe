import type { Admin } from 'kafkajs';
import type { Clock, LogAdmin, TopicPartition } from '../../core/ports.ts';
import { toSeamError } from './errors.ts';

type PartitionOffset = TopicPartition & { readonly offset: bigint };
type Bounds = TopicPartition & { readonly earliest: bigint; readonly latest: bigint };

/** Kafka's numbers: a topic among what has settings, and a setting that the topic has of its own. */
const TOPIC_RESOURCE = 2;
const TOPIC_SETTING = 1;
const LEADER_MS_MAX = 20_000;
const LEADER_PAUSE_MS = 50;
const ATTEMPTS_MAX = 5;
const ATTEMPT_PAUSE_MS = 50;

export class KafkaLogAdmin implements LogAdmin {
  readonly #admin: Admin;
  readonly #clock: Clock;

  constructor(admin: Admin, clock: Clock) {
    this.#admin = admin;
    this.#clock = clock;
  }

  /** Topics that exist are left as they are, their settings too. */
  async createTopics(topics: Parameters<LogAdmin['createTopics']>[0]): Promise<void> {
    if (topics.length === 0) return;
    const wanted = topics.map(({ topic, partitions, replicationFactor, config = {} }) => ({
      topic,
      numPartitions: partitions,
      ...(replicationFactor === undefined ? {} : { replicationFactor }),
      configEntries: Object.entries(config).map(([name, value]) => ({ name, value })),
    }));
    await this.#ask('topics', () => this.#admin.createTopics({ topics: wanted, waitForLeaders: false }));
    await this.#waitForLeaders(topics.map(({ topic }) => topic));
  }

  /** kafkajs' own wait takes "unknown topic" for final, which a broker answers until it has heard of the new topic. */
  async #waitForLeaders(topics: string[]): Promise<void> {
    const endMs = this.#clock.elapsedMs() + LEADER_MS_MAX;
    for (;;) {
      try {
        await this.#admin.fetchTopicMetadata({ topics });
        return;
      } catch (error) {
        if (this.#clock.elapsedMs() > endMs) throw toSeamError(error, 'new topics');
        await this.#clock.pause(LEADER_PAUSE_MS);
      }
    }
  }

  async raiseSetting(topics: readonly string[], setting: string, atLeast: number): Promise<readonly string[]> {
    const existing = new Set(await this.listTopics());
    const asked = topics.filter((topic) => existing.has(topic)).map((name) => ({ type: TOPIC_RESOURCE, name }));
    if (asked.length === 0) return [];
    const described = await this.#ask('topics', () =>
      this.#admin.describeConfigs({ resources: asked, includeSynonyms: false }),
    );
    const low = described.resources.filter(({ configEntries }) =>
      configEntries.some(({ configName, configValue }) => configName === setting && Number(configValue) < atLeast),
    );
    if (low.length === 0) return [];
    // Kafka takes the list as the whole of a topic's own settings: what is left out goes back to the broker's default
    const resources = low.map(({ resourceName, configEntries }) => {
      const own = configEntries.filter(
        ({ configName, configSource }) => configSource === TOPIC_SETTING && configName !== setting,
      );
      const kept = own.map(({ configName, configValue }) => ({ name: configName, value: configValue }));
      return {
        type: TOPIC_RESOURCE,
        name: resourceName,
        configEntries: [...kept, { name: setting, value: String(atLeast) }],
      };
    });
    await this.#ask('topics', () => this.#admin.alterConfigs({ validateOnly: false, resources }));
    return resources.map(({ name }) => name);
  }

  async listTopics(): Promise<readonly string[]> {
    return this.#ask('topics', () => this.#admin.listTopics());
  }

  /** Topics that don't exist are left out. */
  async partitionCounts(topics: readonly string[]): Promise<ReadonlyMap<string, number>> {
    const existing = new Set(await this.listTopics());
    const asked = topics.filter((topic) => existing.has(topic));
    if (asked.length === 0) return new Map();
    const metadata = await this.#ask('topics', () => this.#admin.fetchTopicMetadata({ topics: asked }));
    return new Map(metadata.topics.map(({ name, partitions }) => [name, partitions.length]));
  }

  async committedOffsets(groupId: string, topics: readonly string[]): Promise<readonly PartitionOffset[]> {
    if (topics.length === 0) return [];
    const answer = await this.#ask(`group ${groupId}`, () =>
      this.#admin.fetchOffsets({ groupId, topics: [...topics] }),
    );
    return answer.flatMap(({ topic, partitions }) =>
      partitions
        .map(({ partition, offset }) => ({ topic, partition, offset: BigInt(offset) }))
        .filter(({ offset }) => offset >= 0n),
    );
  }

  async bounds(topic: string): Promise<readonly Bounds[]> {
    const offsets = await this.#ask(`topic ${topic}`, () => this.#admin.fetchTopicOffsets(topic));
    return offsets
      .map(({ partition, low, high }) => ({ topic, partition, earliest: BigInt(low), latest: BigInt(high) }))
      .sort((left, right) => left.partition - right.partition);
  }

  async offsetsAt(topic: string, timeMs: number): Promise<readonly PartitionOffset[]> {
    const offsets = await this.#ask(`topic ${topic}`, () => this.#admin.fetchTopicOffsetsByTimestamp(topic, timeMs));
    return offsets
      .map(({ partition, offset }) => ({ topic, partition, offset: BigInt(offset) }))
      .sort((left, right) => left.partition - right.partition);
  }

  async close(): Promise<void> {
    await this.#admin.disconnect();
  }

  async #ask<T>(where: string, ask: () => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await ask();
      } catch (error) {
        const failure = toSeamError(error, where);
        if (failure.class !== 'transient' || attempt >= ATTEMPTS_MAX) throw failure;
        await this.#forget();
        await this.#clock.pause(ATTEMPT_PAUSE_MS * 2 ** attempt);
      }
    }
  }

  /** What kafkajs knows of leaders and coordinators: it keeps it for minutes, also where a broker says that it is wrong. */
  async #forget(): Promise<void> {
    await this.#admin.disconnect().catch(() => {});
    await this.#admin.connect().catch(() => {});
  }
}
