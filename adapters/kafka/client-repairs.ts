/**
 * kafkajs 2.2.4 is unmaintained; three of its faults are repaired here, once for the process, at the narrowest place that
 * its modules offer. The version is pinned, and test/contract/kafka-log.test.ts fails where a repair no longer takes.
 */
import { createRequire } from 'node:module';
import { ContractError } from '../../core/errors.ts';
import { readFetchResponse } from './fetch-response.ts';

type OffsetManager = { setDefaultOffset(place: { topic: string; partition: number }): Promise<void> };
type RequestQueue = { pending: readonly unknown[]; throttledUntil: number; scheduleCheckPendingRequests(): void };
type Class<T> = { readonly prototype: T };

const load = createRequire(import.meta.url);
let isDone = false;

export function repairClient(): void {
  if (isDone) return;
  isDone = true;
  readFetchesOurselves();
  refuseToSkipHistory();
  stopIdleTimers();
}

/** Why: fetch-response.ts. Brokers since Kafka 2.3 speak version 11, the highest that kafkajs asks for. */
function readFetchesOurselves(): void {
  const response = load('kafkajs/src/protocol/requests/fetch/v11/response.js') as { decode: unknown };
  response.decode = async (bytes: Buffer) => readFetchResponse(bytes);
}

/**
 * When an offset is no longer in the log, kafkajs commits "the beginning" over the group's offset and reads on from
 * there: history is lost without a word, and the proof with it.
 */
function refuseToSkipHistory(): void {
  const manager = load('kafkajs/src/consumer/offsetManager/index.js') as Class<OffsetManager>;
  manager.prototype.setDefaultOffset = async ({ topic, partition }) => {
    throw new ContractError({
      code: 'LOG_TRUNCATED',
      message: 'the next record to read is no longer in the log',
      where: `${topic} partition ${partition}`,
      hint: 'records were removed before they were read: read the source again with a fresh snapshot',
    });
  };
}

/** With nothing to send, kafkajs sets a timer of minus 50 years after every answer, and Node warns about it. */
function stopIdleTimers(): void {
  const queue = load('kafkajs/src/network/requestQueue/index.js') as Class<RequestQueue>;
  const schedule = queue.prototype.scheduleCheckPendingRequests;
  queue.prototype.scheduleCheckPendingRequests = function (this: RequestQueue) {
    if (this.pending.length > 0) schedule.call(this);
  };
}
