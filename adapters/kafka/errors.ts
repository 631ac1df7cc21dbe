import { ConfigError, ContractError, InvariantError, SeamError, TransientError } from '../../core/errors.ts';

/** What kafkajs throws, as far as we read it: `type` is Kafka's own name of an error, `name` the client's. */
type ClientError = Error & {
  readonly type?: string;
  readonly code?: string | number;
  readonly errors?: readonly unknown[];
};

/** Somebody else opened the transactional id, or the broker ended our transaction: its work is theirs now. */
const FENCED = new Set(['INVALID_PRODUCER_EPOCH', 'PRODUCER_FENCED', 'INVALID_TXN_STATE']);
const FENCED_CODES = new Set<unknown>([47, 48, 90]);

const TOO_LARGE = new Set(['MESSAGE_TOO_LARGE', 'RECORD_LIST_TOO_LARGE']);
const UNSUPPORTED = new Set(['KafkaJSServerDoesNotSupportApiKey', 'KafkaJSNotImplemented', 'UNSUPPORTED_VERSION']);
const REFUSED = new Set([
  'INVALID_CONFIG',
  'INVALID_PARTITIONS',
  'INVALID_REPLICATION_FACTOR',
  'INVALID_TOPIC_EXCEPTION',
  'POLICY_VIOLATION',
]);
const REFUSED_LOGIN = new Set(['KafkaJSSASLAuthenticationError', 'SASL_AUTHENTICATION_FAILED']);

/** `where`: the topic, group or transactional id that was being worked on. */
export function toSeamError(error: unknown, where: string): SeamError {
  const causes = causesOf(error);
  const ours = causes.find((cause) => cause instanceof SeamError);
  if (ours !== undefined) return ours as SeamError;
  const root = (causes.at(-1) ?? error) as ClientError;
  const kind = root.type ?? root.name;
  if (FENCED.has(kind) || (kind === 'KAFKAJS_UNKNOWN_ERROR_CODE' && FENCED_CODES.has(root.code))) {
    return fenced(where, error);
  }
  if (TOO_LARGE.has(kind)) return tooLarge(where, error);
  if (UNSUPPORTED.has(kind)) return unsupported(where, error);
  if (REFUSED_LOGIN.has(kind) || kind.endsWith('_AUTHORIZATION_FAILED')) return notAuthorized(kind, where, error);
  if (REFUSED.has(kind)) return refused(kind, where, error);
  if (isProgrammingError(root)) {
    return new InvariantError({
      code: 'KAFKA_CLIENT_BROKEN',
      message: `the kafka client failed: ${kind}`,
      where,
      cause: error,
    });
  }
  return new TransientError({
    code: 'KAFKA_UNREACHABLE',
    message: `kafka did not do as asked: ${kind}${root.code === undefined ? '' : ` (${root.code})`}`,
    where,
    hint: 'check that the brokers run and that every partition has a leader; the work goes on by itself then',
    cause: error,
  });
}

export function kafkaTypeOf(error: unknown): string | undefined {
  return (causesOf(error).at(-1) as ClientError | undefined)?.type;
}

/** The error, then what caused it; of several topics at once the first that failed: one that exists already did not. */
function causesOf(error: unknown): unknown[] {
  const causes: unknown[] = [];
  let current: unknown = error;
  while (current instanceof Error && !causes.includes(current)) {
    causes.push(current);
    const { errors } = current as ClientError;
    current = errors?.find((one) => (one as ClientError).type !== 'TOPIC_ALREADY_EXISTS') ?? current.cause;
  }
  return causes;
}

function isProgrammingError(error: unknown): boolean {
  return error instanceof TypeError || error instanceof ReferenceError || error instanceof RangeError;
}

function fenced(where: string, cause: unknown): TransientError {
  return new TransientError({
    code: 'PRODUCER_FENCED',
    message: 'another worker took this work over',
    where,
    hint: 'nothing to do: the partition goes on there',
    cause,
  });
}

function tooLarge(where: string, cause: unknown): ContractError {
  return new ContractError({
    code: 'RECORD_TOO_LARGE',
    message: 'a record is larger than its topic takes',
    where,
    hint: 'raise max.message.bytes of the topic and replica.fetch.max.bytes of the brokers',
    cause,
  });
}

function unsupported(where: string, cause: unknown): ContractError {
  return new ContractError({
    code: 'BROKER_UNSUPPORTED',
    message: 'the broker lacks a request that is needed',
    where,
    hint: 'use Kafka 2.4 or later',
    cause,
  });
}

function refused(kind: string, where: string, cause: unknown): ConfigError {
  return new ConfigError({
    code: 'KAFKA_REFUSED',
    message: `kafka refuses these topic settings: ${kind}`,
    where,
    hint: 'compare them with the number of brokers and with the policies of the cluster',
    cause,
  });
}

function notAuthorized(kind: string, where: string, cause: unknown): ConfigError {
  return new ConfigError({
    code: 'KAFKA_NOT_AUTHORIZED',
    message: `kafka refuses access: ${kind}`,
    where,
    hint: 'check the credentials and the rights of this worker on its topics, group and transactional ids',
    cause,
  });
}
