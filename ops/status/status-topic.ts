/**
 * Where workers publish their conditions, so that `seam status` sees every machine without reaching a process: one Kafka topic with one
 * partition. A worker writes when something changes, and every few seconds as a sign of life; it writes an empty value when it
 * stops. Records are kept for an hour, so a reader reads all of them. Why a topic: docs/decisions/0012-conditions.md.
 */
import { hostname } from 'node:os';
import { z } from 'zod';
import { asBuffer } from '../../core/bytes.ts';
import type { Condition } from '../../core/condition.ts';
import { readRange } from '../../core/log-range.ts';
import type { Clock, Log, Logger, TransactionalWriter } from '../../core/ports.ts';

export const STATUS_TOPIC = 'seam.status';
/** A worker that wrote nothing for so long is dead, cut off, or stands still. */
export const SILENT_AFTER_MS = 30_000;
const SIGN_OF_LIFE_MS = 10_000;
const LOOK_EVERY_MS = 500;
const LAST_WORD_MS_MAX = 3_000;
const RETENTION_MS = 3_600_000;

const ConditionRecord = z.object({
  id: z.string(),
  severity: z.enum(['halt', 'warning']),
  object: z.discriminatedUnion('kind', [
    z.object({ kind: z.literal('source'), system: z.string() }),
    z.object({ kind: z.literal('table'), system: z.string(), table: z.string() }),
    z.object({ kind: z.literal('topic'), stage: z.string(), topic: z.string() }),
    z.object({ kind: z.literal('target'), system: z.string() }),
    z.object({
      kind: z.literal('target-table'),
      system: z.string(),
      table: z.string(),
      topics: z.array(z.string()),
    }),
    z.object({ kind: z.literal('worker'), worker: z.string() }),
  ]),
  sinceMs: z.number(),
  text: z.string(),
  where: z.string().exactOptional(),
  next: z.string().optional(),
});

/** What a worker says about itself. Unknown fields of a newer worker are passed over. */
const ReportRecord = z.object({
  worker: z.string(),
  host: z.string(),
  pid: z.number(),
  state: z.enum(['running', 'degraded', 'failed', 'paused']),
  conditions: z.array(ConditionRecord),
  gauges: z.record(z.string(), z.number()),
});

export type Report = Omit<z.infer<typeof ReportRecord>, 'conditions'> & { readonly conditions: readonly Condition[] };
/** `atMs`: when Kafka took it, ms since 1970. */
export type DatedReport = Report & { readonly atMs: number };
export type OwnReport = Omit<Report, 'worker' | 'host' | 'pid'>;

export type StatusPublisherParts = {
  readonly log: Log;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly worker: string;
  readonly replicationFactor?: number | undefined;
  readonly report: () => OwnReport;
};

/** Never stops the worker: where Kafka is away the report is written later. */
export class StatusPublisher {
  readonly #parts: StatusPublisherParts;
  readonly #key: string;
  readonly #writer: TransactionalWriter;
  readonly #stopping = new AbortController();
  readonly #done: Promise<void>;
  #written = '';
  #writtenAtMs = Number.NEGATIVE_INFINITY;
  #isOpen = false;
  #isAway = false;

  constructor(parts: StatusPublisherParts) {
    this.#parts = parts;
    this.#key = `${parts.worker}@${hostname()}-${process.pid}`;
    this.#writer = parts.log.writer(`seam-status-${this.#key}`);
    this.#done = this.#run();
  }

  /** Writes the last report, or that the worker has gone in order. */
  async stop({ hasFailed }: { hasFailed: boolean }): Promise<void> {
    this.#stopping.abort();
    const ended = new AbortController();
    const last = async () => {
      await this.#done;
      await this.#tryWrite(hasFailed ? this.#value() : null);
      await this.#writer.close().catch(() => {});
    };
    // where Kafka is away the worker must not stay for it
    await Promise.race([last(), this.#parts.clock.pause(LAST_WORD_MS_MAX, ended.signal)]);
    ended.abort();
  }

  async #run(): Promise<void> {
    const { clock } = this.#parts;
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      const value = this.#value();
      const isDue = value !== this.#written || clock.elapsedMs() - this.#writtenAtMs >= SIGN_OF_LIFE_MS;
      if (isDue) await this.#tryWrite(value);
      await clock.pause(this.#isAway ? SIGN_OF_LIFE_MS : LOOK_EVERY_MS, signal);
    }
  }

  /** Gauges move with every record and are no reason to write at once: they go with the next sign of life. */
  #value(): string {
    const { worker, report } = this.#parts;
    const { state, conditions } = report();
    return JSON.stringify({ worker, host: hostname(), pid: process.pid, state, conditions, gauges: {} });
  }

  async #tryWrite(value: string | null): Promise<void> {
    const { log, clock, logger, replicationFactor, report } = this.#parts;
    try {
      if (!this.#isOpen) {
        await ensureStatusTopic(log, replicationFactor);
        await this.#writer.open();
        this.#isOpen = true;
      }
      const full = value === null ? null : JSON.stringify({ ...JSON.parse(value), gauges: report().gauges });
      const record = {
        topic: STATUS_TOPIC,
        key: this.#key,
        value: full === null ? null : Buffer.from(full),
        headers: {},
      };
      await this.#writer.commit({ records: [{ ...record, partition: 0 }], groupId: '', offsets: [] });
      this.#written = value ?? '';
      this.#writtenAtMs = clock.elapsedMs();
      this.#isAway = false;
    } catch (error) {
      this.#isOpen = false;
      if (!this.#isAway) logger.warn({ reason: String(error) }, 'status not published, tried again');
      this.#isAway = true;
    }
  }
}

/** Installations that are older than this topic have none. */
async function ensureStatusTopic(log: Log, replicationFactor: number | undefined): Promise<void> {
  const admin = await log.admin();
  try {
    await admin.createTopics([
      {
        topic: STATUS_TOPIC,
        partitions: 1,
        ...(replicationFactor === undefined ? {} : { replicationFactor }),
        config: {
          'cleanup.policy': 'delete',
          'retention.ms': String(RETENTION_MS),
          'segment.ms': String(RETENTION_MS / 2),
        },
      },
    ]);
  } finally {
    await admin.close();
  }
}

/** The newest report of every worker that has not stopped in order. */
export async function readReports(log: Log, signal?: AbortSignal): Promise<readonly DatedReport[]> {
  const admin = await log.admin();
  const reports = new Map<string, DatedReport>();
  try {
    if (!(await admin.listTopics()).includes(STATUS_TOPIC)) return [];
    const bounds = await admin.bounds(STATUS_TOPIC);
    await readRange(log, {
      groupId: `seam-status-reader-${Math.random().toString(36).slice(2)}`,
      stretches: bounds.map(({ partition, earliest, latest }) => ({
        topic: STATUS_TOPIC,
        partition,
        from: earliest,
        to: latest,
      })),
      records: (_, records) => {
        for (const { key, value, timestampMs } of records) {
          const name = key === null ? '' : asBuffer(key).toString('utf8');
          if (value === null) reports.delete(name);
          else reports.set(name, { ...decode(value), atMs: timestampMs });
        }
      },
      ...(signal === undefined ? {} : { signal }),
    });
  } finally {
    await admin.close();
  }
  return [...reports.values()];
}

function decode(value: Uint8Array): Report {
  const { conditions, ...rest } = ReportRecord.parse(JSON.parse(asBuffer(value).toString('utf8')));
  return { ...rest, conditions: conditions.map((one) => ({ ...one, next: one.next })) };
}
