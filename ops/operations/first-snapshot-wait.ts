/**
 * Waits for a connector's first snapshot and never silently: says how far every table has come, and ends with the connector's
 * own fault, or with what the source's checks find, instead of waiting for what cannot come.
 */
import { setTimeout as pause } from 'node:timers/promises';
import type { ConnectClient } from '../../adapters/connect-client.ts';
import { haltOf } from '../../core/condition.ts';
import type { Deployment } from '../../core/deployment.ts';
import { TransientError } from '../../core/errors.ts';
import type { Log, LogAdmin } from '../../core/ports.ts';
import { firstSnapshot } from '../resnapshot/first-snapshot.ts';
import { rawEndsBy } from '../resnapshot/raw-ends.ts';
import { connectorName, lookAt, rememberedOf } from '../sources/look.ts';
import { whenAvailable } from './connectors.ts';
import { failedTaskOf } from './failed-task.ts';

const POLL_MS = 500;
const TELL_EVERY_MS = 10_000;
const CHECK_EVERY_MS = 10_000;
/** Without a record for so long the connector is asked about, whatever it is doing. */
const SILENCE_MS_MAX = 120_000;

export type SnapshotProgress =
  | { readonly kind: 'waits'; readonly text: string }
  | { readonly kind: 'table'; readonly table: string; readonly rows: number };

export type FirstSnapshotParts = {
  readonly deployment: Deployment;
  readonly client: ConnectClient;
  readonly log: Log;
  readonly system: string;
  readonly tables: readonly string[];
  readonly report: (progress: SnapshotProgress) => void;
  /** Rejects with why a table cannot be read now. */
  readonly refuse: () => Promise<void>;
  readonly signal: AbortSignal;
};

export class FirstSnapshotWait {
  readonly #parts: FirstSnapshotParts;
  /** Ends of the raw topics before the first record. */
  #before: ReadonlyMap<string, bigint> = new Map();
  readonly #refuseFailed: () => Promise<void>;

  constructor(parts: FirstSnapshotParts) {
    this.#parts = parts;
    this.#refuseFailed = failedTaskOf(parts.client, parts.system);
  }

  /** Before the connector starts. */
  async begin(): Promise<void> {
    this.#before = await this.#withAdmin((admin) => this.#ends(admin));
  }

  /** Records by table; transaction markers count too, so the numbers are about right. */
  async finished(): Promise<Readonly<Record<string, number>>> {
    return this.#withAdmin((admin) => this.#follow(admin));
  }

  async #follow(admin: LogAdmin): Promise<Readonly<Record<string, number>>> {
    const { signal, system, report } = this.#parts;
    let rows = this.#rows(this.#before);
    let [movedMs, toldMs, checkedMs] = [Date.now(), 0, Date.now()];
    for (;;) {
      signal.throwIfAborted();
      await this.#refuseFailed();
      const isFinished = await this.#isFinished();
      const now = this.#rows(await this.#ends(admin));
      if (sum(now) !== sum(rows)) movedMs = Date.now();
      rows = now;
      if (isFinished) break;
      if (Date.now() - toldMs >= TELL_EVERY_MS) {
        report({ kind: 'waits', text: waitText(system, rows) });
        toldMs = Date.now();
      }
      if (Date.now() - checkedMs >= CHECK_EVERY_MS) {
        await this.#refuseUnreadable();
        checkedMs = Date.now();
      }
      if (Date.now() - movedMs > SILENCE_MS_MAX) throw silent(system, rows);
      await pause(POLL_MS, undefined, { signal });
    }
    for (const [table, count] of Object.entries(rows)) report({ kind: 'table', table, rows: count });
    return rows;
  }

  async #isFinished(): Promise<boolean> {
    const { client, system } = this.#parts;
    const [offset] = await whenAvailable(() => client.offsets(connectorName(system)));
    return firstSnapshot(offset) === 'finished';
  }

  /** The connector tries again and again and shows RUNNING: what it lacks is asked of the source itself. */
  async #refuseUnreadable(): Promise<void> {
    const { deployment, system, refuse } = this.#parts;
    await refuse();
    const remembered = await whenAvailable(() => rememberedOf(deployment, system));
    if (remembered === null) return;
    const { found } = await lookAt(deployment, system, remembered);
    // what a reading heals is no reason to stop one
    const halt = found.find(
      ({ severity, next }) => severity === 'halt' && !/seam (connectors recover|resnapshot)/.test(next ?? ''),
    );
    if (halt !== undefined) throw haltOf(halt);
  }

  #rows(ends: ReadonlyMap<string, bigint>): Record<string, number> {
    const { tables } = this.#parts;
    return Object.fromEntries(
      tables.map((table) => [table, Number((ends.get(table) ?? 0n) - (this.#before.get(table) ?? 0n))]),
    );
  }

  #ends(admin: LogAdmin): Promise<Map<string, bigint>> {
    const { system, tables } = this.#parts;
    return rawEndsBy(admin, system, tables);
  }

  async #withAdmin<T>(work: (admin: LogAdmin) => Promise<T>): Promise<T> {
    const admin = await this.#parts.log.admin();
    try {
      return await work(admin);
    } finally {
      await admin.close();
    }
  }
}

function sum(rows: Readonly<Record<string, number>>): number {
  return Object.values(rows).reduce((total, count) => total + count, 0);
}

function waitText(system: string, rows: Readonly<Record<string, number>>): string {
  const tables = Object.entries(rows).map(([table, count]) => `${table} ${count}`);
  return `waits for the first snapshot of ${system}; records so far, about: ${tables.join(', ')}`;
}

function silent(system: string, rows: Readonly<Record<string, number>>): TransientError {
  return new TransientError({
    code: 'CONNECTOR_SILENT',
    message: `no record of the first snapshot of ${system} has come for ${SILENCE_MS_MAX / 1_000} s: ${Object.keys(rows).join(', ')}`,
    where: `connector of ${system}`,
    hint: `its log says why: seam stack logs connect; then run: seam connectors recover ${system} --yes`,
  });
}
