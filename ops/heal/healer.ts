/**
 * Reads tables again that lost changes, without a person: the same reading and the same sweep as `seam resnapshot`. It upserts, and deletes
 * what the source lacks up to the limit of a sweep; more waits as the table's condition, with its command. One reading at a time
 * for a source, over all workers and people: ops/resnapshot/reading-lock.ts. When, and for how long it rests: decide.ts.
 */
import type { Sighting } from '../../core/condition.ts';
import type { Deployment } from '../../core/deployment.ts';
import type { Clock, Logger } from '../../core/ports.ts';
import { HEALER, planResnapshot, type ResnapshotResult, readAndSweep } from '../operations/resnapshot.ts';
import { sourceConnection } from '../operations/verify-deployment.ts';
import { type ReadingLock, tryReadingLock } from '../resnapshot/reading-lock.ts';
import { openRequest } from '../resnapshot/signals.ts';
import { lookAt, rememberedOf } from '../sources/look.ts';
import { withSource } from '../sources/with-source.ts';
import { mappedTables, sourceSystem } from '../systems.ts';
import { type Decision, decide, isHealedByReading, lossesByTable } from './decide.ts';
import { loadHealNotes, storeHealNotes } from './notes.ts';
import { notesAfter, outcomeOfError, outcomeOfSweep, stillLost } from './outcome.ts';

const LOOK_EVERY_MS = 3_000;
/** Losses may be gone, or be others, before a rest ends. */
const REST_MS_MAX = 30_000;

export type HealerParts = {
  readonly names: readonly string[];
  /** What the watch of the sources knows now. */
  readonly sightings: () => readonly Sighting[];
  /** One look, and one reading if it is due. Answers for how long nothing more is to be done. */
  readonly heal: (system: string, signal: AbortSignal) => Promise<number>;
  readonly clock: Clock;
  readonly logger: Logger;
};

/** Ends with the signal, and rejects never: what fails is logged, and tried again. */
export async function keepHealing(parts: HealerParts, signal: AbortSignal): Promise<void> {
  await Promise.all(parts.names.map((system) => keepHealingOne(parts, system, signal)));
}

async function keepHealingOne(parts: HealerParts, system: string, signal: AbortSignal): Promise<void> {
  const { sightings, heal, clock, logger } = parts;
  const isLost = ({ object, healedBy }: Sighting) =>
    healedBy === 'reading' && 'system' in object && object.system === system;
  for (let pauseMs = 0; ; ) {
    await clock.pause(pauseMs + LOOK_EVERY_MS, signal);
    if (signal.aborted) return;
    pauseMs = 0;
    if (!sightings().some(isLost)) continue;
    try {
      pauseMs = await heal(system, signal);
    } catch (error) {
      pauseMs = REST_MS_MAX;
      const { code } = outcomeOfError(error);
      if (!signal.aborted) logger.warn({ system, code }, 'could not look at what a table lost, trying again');
    }
  }
}

/** As `HealerParts.heal`. */
export async function healOnce(
  deployment: Deployment,
  system: string,
  logger: Logger,
  signal: AbortSignal,
): Promise<number> {
  const lock = await tryReadingLock(await sourceConnection(deployment, system), system);
  if (lock === undefined) return 0;
  try {
    return await healLocked(deployment, system, logger, lock, signal);
  } finally {
    await lock.free();
  }
}

async function healLocked(
  deployment: Deployment,
  system: string,
  logger: Logger,
  lock: ReadingLock,
  signal: AbortSignal,
): Promise<number> {
  const remembered = await rememberedOf(deployment, system);
  if (remembered === null) return REST_MS_MAX;
  const { raw } = await lookAt(deployment, system, remembered);
  if (!raw.some(isHealedByReading)) return 0;
  const notes = await withSource(deployment, system, loadHealNotes);
  const input = { system, tables: mappedTables(sourceSystem(system)), found: raw, notes, nowMs: Date.now() };
  const decision = decide(input);
  if (decision.kind === 'rest') return Math.min(decision.untilMs - input.nowMs, REST_MS_MAX);
  if (decision.kind === 'nothing') return REST_MS_MAX;
  const losses = new Map([...lossesByTable(input)].filter(([table]) => decision.tables.includes(table)));
  const ended = await readNow(deployment, system, decision, logger, AbortSignal.any([signal, lock.lost]));
  if (ended === undefined) return 0;
  const nowMs = Date.now();
  const still = lossesByTable({ ...input, found: (await lookAt(deployment, system, remembered)).raw });
  const outcomeOf = (table: string) => ended(table) ?? stillLost(losses.get(table), still.get(table));
  const after = notesAfter(notes, { losses, endedMs: nowMs, tookMs: nowMs - input.nowMs }, outcomeOf);
  await withSource(deployment, system, (session) => storeHealNotes(session, after, nowMs));
  return 0;
}

type OutcomeOf = Parameters<typeof notesAfter>[2];

/** undefined: it finished what was left of another reading. */
async function readNow(
  deployment: Deployment,
  system: string,
  { tables, ids }: Extract<Decision, { kind: 'read' }>,
  logger: Logger,
  signal: AbortSignal,
): Promise<OutcomeOf | undefined> {
  logger.info({ system, tables, because: ids }, 'tables lost changes, reading them again');
  try {
    const left = await withSource(deployment, system, openRequest);
    const reason = `healing of ${ids.join(', ')}`;
    // what was interrupted is finished first: nothing else can be asked of the connector before
    const choice = { system, tables: left === undefined ? tables : [], sweep: true, reason, by: HEALER };
    const plan = await planResnapshot(deployment, choice);
    const result = await readAndSweep(deployment, plan, { system }, () => {}, signal);
    tell(logger, system, result);
    return left === undefined ? outcomeOfSweep(result.swept) : undefined;
  } catch (error) {
    signal.throwIfAborted();
    const outcome = outcomeOfError(error);
    logger.warn({ system, tables, code: outcome.code, reason: outcome.text }, 'reading again failed');
    return () => outcome;
  }
}

function tell(logger: Logger, system: string, { rows, swept }: ResnapshotResult): void {
  const deleted = swept.reduce((sum, one) => sum + one.deleted, 0);
  logger.info({ system, rows, deleted }, 'tables read again');
  for (const { tables, withheld } of swept) {
    if (withheld === undefined) continue;
    const { code, message, hint } = withheld;
    logger.warn({ system, tables, code, reason: message, next: hint }, 'deletions were withheld');
  }
}

export function healingOf(deployment: Deployment, parts: Omit<HealerParts, 'heal'>): HealerParts {
  return { ...parts, heal: (system, signal) => healOnce(deployment, system, parts.logger, signal) };
}
