/** A target opened for a replay: the sink's own engine over a session of its own, beside the live one. */
import { ContractError, type SeamError } from '../../../core/errors.ts';
import type { Clock, Log, Logger } from '../../../core/ports.ts';
import type { Target } from '../../../core/target.ts';
import { type Connection, REPLAY_TABLE, type Session, type TableShape } from '../../../sinks/dialects/dialect.ts';
import { dialects } from '../../../sinks/dialects/index.ts';
import { describeTarget } from '../../../sinks/engine/checks.ts';
import { compileTarget, type Entities } from '../../../sinks/engine/compile.ts';
import { type Hooks, noHooks } from '../../../sinks/engine/hooks.ts';
import { placeKey } from '../../../sinks/engine/leases.ts';
import type { DecodeBatch } from '../../../sinks/engine/record.ts';
import type { SinkSettings } from '../../../sinks/engine/settings.ts';
import type { SideTables } from '../../../sinks/engine/side-tables.ts';
import { Writer } from '../../../sinks/engine/writer.ts';

export type ReplayTarget = {
  readonly target: Target;
  readonly connection: Connection;
  readonly bidirectional: readonly string[];
};

/** What replays need of the world. */
export type ReplayParts = {
  readonly targets: readonly ReplayTarget[];
  readonly entities: Entities;
  readonly log: Log;
  readonly decode: DecodeBatch;
  /** Of the sinks. */
  readonly settings: SinkSettings;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly hooks?: Hooks;
};

export type OpenTarget = {
  readonly system: string;
  /** Canonical topics that it takes, parents first, and the entity of each. */
  readonly topics: ReadonlyMap<string, string>;
  readonly writer: Writer;
  readonly side: SideTables;
  readonly replays: TableShape;
  readonly close: () => Promise<void>;
};

export type OpenOptions = {
  readonly owner: string;
  readonly settings: SinkSettings;
  readonly signal: AbortSignal;
  readonly onTrouble?: (error: SeamError | undefined) => void;
};

export async function openTarget(parts: ReplayParts, of: ReplayTarget, options: OpenOptions): Promise<OpenTarget> {
  const { target, connection, bidirectional } = of;
  const { owner, settings, signal } = options;
  const dialect = dialects[target.dialect];
  const openSession = (): Promise<Session> =>
    dialect.open(connection, { system: target.system, owner, statementTimeoutMs: settings.statementTimeoutMs });
  const session = await openSession();
  try {
    const { side, tables } = await describeTarget(session, target, parts.entities);
    const replays = (await session.describe([REPLAY_TABLE])).get(REPLAY_TABLE);
    if (replays === undefined) throw sideSchemaOld(target.system);
    const compiled = compileTarget(target, parts.entities, tables, bidirectional);
    const writer = new Writer(
      {
        dialect,
        openSession,
        side,
        tables: new Map(compiled.map((table) => [table.entity.entity, table])),
        decode: parts.decode,
        settings,
        clock: parts.clock,
        hooks: parts.hooks ?? noHooks,
        signal,
        onTrouble: options.onTrouble ?? (() => undefined),
      },
      session,
    );
    const topics = new Map(compiled.map(({ entity }) => [entity.topic, entity.entity]));
    return { system: target.system, topics, writer, side, replays, close: () => writer.close() };
  } catch (error) {
    await session.close().catch(() => undefined);
    throw error;
  }
}

export type LiveLease = { readonly nextOffset: bigint; readonly epoch: bigint };

/** By partition: where the sink's own reading stands. */
export async function readLiveLeases(
  session: Session,
  side: SideTables,
  topic: string,
  partitions: readonly number[],
): Promise<ReadonlyMap<number, LiveLease>> {
  const match = placeKey(partitions.map((partition) => ({ topic, partition })));
  const rows = await session.lookup(side.sinkOffset, { match, columns: ['next_offset', 'epoch'] });
  return new Map(
    rows.map(({ index, values: [nextOffset, epoch] }) => [
      partitions[index] as number,
      { nextOffset: BigInt(nextOffset as bigint), epoch: BigInt(epoch as bigint) },
    ]),
  );
}

function sideSchemaOld(system: string): ContractError {
  return new ContractError({
    code: 'SIDE_SCHEMA_OLD',
    message: `the side schema of ${system} has no table ${REPLAY_TABLE}, or hides it`,
    hint: `run: seam setup apply ${system} --yes`,
  });
}
