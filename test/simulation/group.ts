/**
 * A consumer group and its members. The group deals partitions when all its members have joined, or when it has waited long
 * enough for the others: these are expelled, and learn it late, as a halted process does.
 */
import { dealSameNumberTogether } from '../../adapters/kafka/assigner.ts';
import type { ConsumerCallbacks, LogConsumer, TopicPartition } from '../../core/ports.ts';
import type { SimLog } from './log.ts';
import { type Scheduler, SimProcess } from './scheduler.ts';

const BROKER = new SimProcess('broker');
const REBALANCE_MS_MAX = 300;

type Assignment = readonly TopicPartition[];

export class Group {
  readonly #scheduler: Scheduler;
  readonly #countPartitions: (topic: string) => number;
  readonly #members = new Set<SimConsumer>();
  readonly #joining = new Map<SimConsumer, (assignment: Assignment) => void>();
  readonly committed = new Map<string, bigint>();
  topics: readonly string[] = [];
  #round = 0;
  #isRebalancing = false;
  /** Members that did not join again in time: their writers are fenced by who takes over. */
  expelled = 0;

  constructor(scheduler: Scheduler, countPartitions: (topic: string) => number) {
    this.#scheduler = scheduler;
    this.#countPartitions = countPartitions;
  }

  join(consumer: SimConsumer): Promise<Assignment> {
    this.#members.add(consumer);
    this.topics = consumer.topics;
    const joined = new Promise<Assignment>((resolve) => this.#joining.set(consumer, resolve));
    this.#rebalance();
    return joined;
  }

  leave(consumer: SimConsumer): void {
    this.#joining.delete(consumer);
    if (this.#members.delete(consumer)) this.#rebalance();
  }

  expelProcess(process: SimProcess): void {
    for (const member of this.#members) {
      if (member.process !== process) continue;
      this.leave(member);
      member.rebalance();
    }
  }

  #rebalance(): void {
    if (!this.#isRebalancing) {
      this.#isRebalancing = true;
      const round = this.#round;
      for (const member of this.#members) if (!this.#joining.has(member)) member.rebalance();
      this.#scheduler.after(BROKER, REBALANCE_MS_MAX, 'expels who did not join', () => this.#expel(round));
    }
    if (this.#joining.size === this.#members.size) this.#deal();
  }

  #expel(round: number): void {
    if (round !== this.#round || !this.#isRebalancing) return;
    for (const member of this.#members) {
      if (this.#joining.has(member)) continue;
      this.#members.delete(member);
      this.expelled += 1;
    }
    this.#deal();
  }

  #deal(): void {
    this.#round += 1;
    this.#isRebalancing = false;
    const members = [...this.#joining].sort(([left], [right]) => (left.process.name < right.process.name ? -1 : 1));
    this.#joining.clear();
    const topics = new Set(members.flatMap(([member]) => member.topics));
    const counts = new Map([...topics].map((topic) => [topic, this.#countPartitions(topic)]));
    const hands = dealSameNumberTogether(counts, members.length);
    for (const [index, [, resolve]] of members.entries()) {
      const hand = Object.entries(hands[index] ?? {});
      resolve(hand.flatMap(([topic, numbers]) => numbers.map((partition) => ({ topic, partition }))));
    }
  }
}

/** As adapters/kafka/consumer.ts: one batch of a partition at a time, `revoked` before anything else is assigned. */
export class SimConsumer implements LogConsumer {
  readonly #log: SimLog;
  readonly process: SimProcess;
  readonly #group: Group;
  readonly topics: readonly string[];
  #callbacks: ConsumerCallbacks | undefined;
  #interruption = Promise.withResolvers<undefined>();
  #finished: Promise<void> = Promise.resolve();
  #isStopped = false;
  #failure: unknown;

  constructor(log: SimLog, process: SimProcess, group: Group, topics: readonly string[]) {
    this.#log = log;
    this.process = process;
    this.#group = group;
    this.topics = topics;
  }

  run(callbacks: ConsumerCallbacks): Promise<void> {
    this.#callbacks = callbacks;
    const running = this.#run();
    this.#finished = running.catch(() => undefined);
    return running;
  }

  async commit(): Promise<void> {}

  stop(): Promise<void> {
    this.#isStopped = true;
    this.#interruption.resolve(undefined);
    return this.#finished;
  }

  /** The group deals again; the member hears of it with its next heartbeat. */
  rebalance(): void {
    const interruption = this.#interruption;
    void this.#log.scheduler.gate(this.process, 'hears of a rebalance').then(() => interruption.resolve(undefined));
  }

  async #run(): Promise<void> {
    try {
      while (!this.#isStopped) {
        await this.#log.scheduler.gate(this.process, 'joins');
        if (this.#isStopped) break;
        this.#interruption = Promise.withResolvers();
        const assigned = await Promise.race([this.#group.join(this), this.#interruption.promise]);
        if (assigned !== undefined) await this.#hold(assigned);
      }
    } finally {
      this.#group.leave(this);
    }
    if (this.#failure !== undefined) throw this.#failure;
  }

  async #hold(assigned: Assignment): Promise<void> {
    const callbacks = this.#callbacks as ConsumerCallbacks;
    const interruption = this.#interruption;
    const holding = { isOver: false };
    const onFailure = (error: unknown) => {
      if (!holding.isOver) this.#failure ??= error;
      if (!holding.isOver) void this.stop();
    };
    try {
      const starts = await callbacks.assigned(assigned);
      for (const start of starts) void this.#fetch(start, start.offset, holding).catch(onFailure);
      await interruption.promise;
    } catch (error) {
      onFailure(error);
    }
    holding.isOver = true;
    await callbacks.revoked(assigned);
  }

  async #fetch({ topic, partition }: TopicPartition, start: bigint, holding: { isOver: boolean }): Promise<void> {
    const { scheduler, faults } = this.#log;
    const place = this.#log.partition({ topic, partition });
    let next = start;
    while (!holding.isOver) {
      if (place.fetch(next, 1) === undefined) {
        await place.changed();
        continue;
      }
      await scheduler.gate(this.process, `fetches ${topic}/${partition} from ${next}`);
      if (holding.isOver) return;
      const fetched = place.fetch(next, 1 + scheduler.random.below(faults.fetchMax));
      if (fetched === undefined) continue;
      const { records, nextOffset } = fetched;
      const highWatermark = BigInt(place.entries.length);
      if (records.length === 0) this.#callbacks?.passedOver?.({ topic, partition }, nextOffset);
      else
        await this.#callbacks?.batch({ topic, partition, records, count: records.length, nextOffset, highWatermark });
      next = nextOffset;
    }
  }
}
