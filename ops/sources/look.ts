/** One look at a source: what its connector remembers is held against what the database says, by every check of its kind. */
import { setTimeout as pause } from 'node:timers/promises';
import { ConnectClient, type ConnectorConfig } from '../../adapters/connect-client.ts';
import type { Sighting } from '../../core/condition.ts';
import type { Deployment } from '../../core/deployment.ts';
import { TransientError } from '../../core/errors.ts';
import { loadHealNotes } from '../heal/notes.ts';
import { loadUnswept, withUnswept } from '../resnapshot/unswept.ts';
import { shown } from '../heal/shown.ts';
import { sourceConnection } from '../operations/verify-deployment.ts';
import { readingUnderWay } from '../resnapshot/signals.ts';
import { openSource } from '../resnapshot/source-session.ts';
import { mappedTables, sourceSystem } from '../systems.ts';
import type { CheckedSource } from './checks/check.ts';
import { sourceKinds } from './checks/index.ts';
import { type Answer, runChecks } from './checks/run.ts';

const LOOK_MS_MAX = 30_000;
const STATEMENT_MS_MAX = 10_000;
const OFFSET_ATTEMPTS = 3;
const OFFSET_PAUSE_MS = 1_000;

/** What Kafka Connect knows of a connector. */
export type Remembered = {
  readonly config: ConnectorConfig;
  /** undefined: nothing was read yet. */
  readonly offset: Readonly<Record<string, unknown>> | undefined;
};

export type Look = Answer & {
  readonly identity: string;
  /** As the checks found it, without what readings have made of it. */
  readonly raw: readonly Sighting[];
};

export function connectorName(system: string): string {
  return `seam-${system}`;
}

/** null: there is no such connector yet. */
export async function rememberedOf(deployment: Deployment, system: string): Promise<Remembered | null> {
  const client = new ConnectClient(deployment.connect.url);
  const name = connectorName(system);
  for (let attempt = 1; ; attempt += 1) {
    // offsets first: a source that goes on is never behind them
    const offset = (await client.offsets(name))[0];
    const config = await client.config(name);
    if (config === null) return null;
    // seen while a connector starts with other settings: Connect answers with none for a moment
    if (offset !== undefined || attempt === OFFSET_ATTEMPTS) return { config, offset };
    await pause(OFFSET_PAUSE_MS);
  }
}

/** Rejects when the database does not answer in time; a check that fails is part of the answer. */
export async function lookAt(deployment: Deployment, system: string, remembered: Remembered): Promise<Look> {
  const over = AbortSignal.timeout(LOOK_MS_MAX);
  const expired = new Promise<never>((_, reject) => {
    over.addEventListener('abort', () => reject(tooSlow(system)), { once: true });
  });
  return Promise.race([look(deployment, system, remembered, over), expired]);
}

async function look(deployment: Deployment, system: string, remembered: Remembered, over: AbortSignal): Promise<Look> {
  const session = await openSource(await sourceConnection(deployment, system), 'as-set');
  // or the checks that are left would keep the process for minutes
  over.addEventListener('abort', () => void session.close().catch(() => {}), { once: true });
  try {
    const declared = sourceSystem(system);
    const kind = sourceKinds[session.kind];
    await kind.limitStatements(session, STATEMENT_MS_MAX);
    const tables = mappedTables(declared);
    const source: CheckedSource = { system, session, mapping: declared.source.mapping, tables, ...remembered };
    const identity = await kind.identityOf(session);
    const answer = await runChecks(source, kind.checks);
    await kind.noteLosses?.(source, answer.lossy);
    // a connector that was never applied has no signal table
    const request = await readingUnderWay(session).catch(() => undefined);
    const notes = await loadHealNotes(session).catch(() => ({}));
    const unswept = await loadUnswept(session).catch(() => ({}));
    const found = withUnswept(shown(answer.found, { system, tables, notes, request }), system, unswept);
    return { identity, ...answer, raw: answer.found, found };
  } finally {
    await session.close();
  }
}

/** Ids of checks that `connectors apply` does not refuse on. */
export function passedAtApply(system: string): string[] {
  const { checks } = sourceKinds[sourceSystem(system).database];
  return checks.flatMap(({ id, passesApply }) => (passesApply ? id : []));
}

function tooSlow(system: string): TransientError {
  return new TransientError({
    code: 'SOURCE_SLOW',
    message: `the database of ${system} did not answer all checks within ${LOOK_MS_MAX / 1_000} s`,
    where: `source ${system}`,
    hint: `look at what keeps the database busy, then run: seam connectors status ${system}`,
  });
}
