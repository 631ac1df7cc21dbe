/**
 * kafkajs 2.2.4 is unmaintained; what would lose or repeat records, and what costs most of a transaction's time, is repaired
 * here, once for the process, at the narrowest place that its modules offer. The version is pinned, and
 * test/contract/kafka-{log,transactions}.test.ts fail where a repair that matters for correctness no longer takes.
 */
import { createRequire } from 'node:module';
import { ContractError } from '../../core/errors.ts';
import { readFetchResponse } from './fetch-response.ts';
import { isOurs, type ProduceRequest, writeProduceRequest } from './produce-request.ts';
import { WholeRequest } from './whole-request.ts';

type OffsetManager = { setDefaultOffset(place: { topic: string; partition: number }): Promise<void> };
type RequestQueue = { pending: readonly unknown[]; throttledUntil: number; scheduleCheckPendingRequests(): void };
type Class<T> = { readonly prototype: T };
type Encoder = { readonly buffer: Buffer; writeEncoder(value: object): object };
type CoordinatorRequest = { readonly groupId: string; readonly coordinatorType?: number };
type Broker = { isConnected(): boolean };
type Cluster = { findGroupCoordinator(request: CoordinatorRequest): Promise<Broker> };

const load = createRequire(import.meta.url);
let isDone = false;

export function repairClient(): void {
  if (isDone) return;
  isDone = true;
  readFetchesOurselves();
  refuseToSkipHistory();
  stopIdleTimers();
  rememberCoordinators();
  writeRequestsOurselves();
  copyNoWholeRequests();
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

let coordinatorsKnown = new WeakMap<Cluster, Map<string, Promise<Broker>>>();

/** After any answer that says that a coordinator has moved. */
export function forgetCoordinators(): void {
  coordinatorsKnown = new WeakMap();
}

/**
 * kafkajs looks a transaction's coordinators up before every step: four of nine round trips. A transactional producer keeps
 * them here until a step fails, when it is thrown away with its cluster (writer.ts). Consumers name no type and are left
 * alone: they ask when they join, to be told again.
 */
function rememberCoordinators(): void {
  const cluster = load('kafkajs/src/cluster/index.js') as Class<Cluster>;
  const find = cluster.prototype.findGroupCoordinator;
  cluster.prototype.findGroupCoordinator = async function (this: Cluster, request) {
    if (request.coordinatorType === undefined) return find.call(this, request);
    const known = coordinatorsKnown.get(this) ?? new Map<string, Promise<Broker>>();
    coordinatorsKnown.set(this, known);
    const name = `${request.coordinatorType} ${request.groupId}`;
    const broker = await known.get(name);
    if (broker?.isConnected()) return broker;
    const found = find.call(this, request);
    known.set(name, found);
    found.catch(() => known.delete(name));
    return found;
  };
}

type Built = { readonly request: object; readonly response: unknown };
type ProduceApi = { protocol(choice: { version: number | string }): (options: ProduceRequest) => Built };

/** Why: produce-request.ts. The first versions had another format; brokers since Kafka 1.0 take 3 and more. */
function writeRequestsOurselves(): void {
  const produce = load('kafkajs/src/protocol/requests/produce/index.js') as ProduceApi;
  const build = produce.protocol;
  produce.protocol = (choice) => (options) => {
    const built = build(choice)(options);
    if (!isOurs(options)) return built;
    const encode = async () => new WholeRequest((room) => writeProduceRequest(options, room));
    return { ...built, request: { ...built.request, encode } };
  };
}

/** Why: whole-request.ts. */
function copyNoWholeRequests(): void {
  const encoder = load('kafkajs/src/protocol/encoder.js') as Class<Encoder>;
  const copied = encoder.prototype.writeEncoder;
  encoder.prototype.writeEncoder = function (this: Encoder, value) {
    return (value instanceof WholeRequest && value.putInFront(this.buffer)) || copied.call(this, value);
  };
}
