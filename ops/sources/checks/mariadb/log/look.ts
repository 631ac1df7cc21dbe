/**
 * One look at what the log gained since the last one. Where it is cut (the worker dies, the look takes too long), the next look goes
 * on; where a part of the log was purged before it was looked at, that is a loss itself.
 */
import { TransientError } from '../../../../../core/errors.ts';
import type { SourceSession } from '../../../../resnapshot/source-session.ts';
import type { CheckedSource } from '../../check.ts';
import { addressText, compareAddresses, type LogAddress } from './address.ts';
import { endOfLog, eventsAtOnce, eventsFrom, FIRST_POSITION, logFiles, preparedNow } from './events.ts';
import { type Asked, follow, type LogEvent, type Loss, type LogState, unhealed, withLoss } from './follow.ts';
import { notesStatements } from '../foreign-keys.ts';
import { parentsOf } from './parents.ts';
import { loadState, readingsOf, replaceState, type Stored, storeState } from './state.ts';

const LOOK_MS_MAX = 8_000;
/** The row is written no more often while nothing is found: each time costs the source a transaction. */
const STORE_EVERY_MS = 30_000;

type Known = { readonly text: string; readonly state: LogState; readonly storedAtMs: number };
/** What this process has read beyond the stored row, by system. */
const ahead = new Map<string, Known>();

/** A session is of one look, and its checks share what it read. */
const looks = new WeakMap<SourceSession, Promise<readonly Loss[]>>();

/** Every loss that was not healed yet. */
export function lossesInLog(source: CheckedSource): Promise<readonly Loss[]> {
  const known = looks.get(source.session) ?? look(source);
  looks.set(source.session, known);
  return known;
}

async function look(source: CheckedSource): Promise<readonly Loss[]> {
  const { session, system, tables } = source;
  const end = await endOfLog(session);
  if (end === undefined) return [];
  const stored = await loadState(session);
  const known = ahead.get(system);
  const isKnown = known !== undefined && known.text === stored?.text;
  const from = await startOf(source, end, isKnown ? known.state : stored?.state);
  const asked = { captured: tables, parents: await parentsOf(source), notesStatements: await notesStatements(session) };
  const read = await readTo(session, from, end, asked);
  const state = unhealed(read, await readingsOf(session), tables);
  await remember(session, system, state, stored, isKnown ? known.storedAtMs : 0);
  if (compareAddresses(state.at, end) < 0) throw behind(system, state.at, end);
  return state.losses;
}

/** A connector that started again read everything; its log may be another one. */
async function startOf(source: CheckedSource, end: LogAddress, known: LogState | undefined): Promise<LogState> {
  const epoch = epochOf(source.config);
  const isRestarted = known !== undefined && epoch > (known.epoch ?? 0);
  return known === undefined || isRestarted ? { ...(await firstState(source, end)), epoch } : known;
}

async function remember(
  session: SourceSession,
  system: string,
  state: LogState,
  stored: Stored | undefined,
  storedAtMs: number,
): Promise<void> {
  const isDue =
    stored === undefined ||
    Date.now() - storedAtMs > STORE_EVERY_MS ||
    JSON.stringify(state.losses) !== JSON.stringify(stored.state.losses);
  if (!isDue) {
    ahead.set(system, { text: stored.text, state, storedAtMs });
    return;
  }
  await storeState(session, state, stored?.text);
  ahead.set(system, { text: JSON.stringify(state), state, storedAtMs: Date.now() });
}

/** What was in the log before Seam first looked is in the first snapshot, or was before this version. */
async function firstState({ session, offset, tables }: CheckedSource, end: LogAddress): Promise<LogState> {
  const read = { file: String(offset?.file ?? ''), position: Number(offset?.pos ?? Number.NaN) };
  const isUsable = read.file !== '' && Number.isInteger(read.position) && compareAddresses(read, end) <= 0;
  const prepared = (await preparedNow(session)).map((id) => [id, { tables, isCrossed: true }]);
  return { at: isUsable ? read : end, losses: [], prepared: Object.fromEntries(prepared) };
}

async function readTo(session: SourceSession, start: LogState, end: LogAddress, asked: Asked): Promise<LogState> {
  const deadlineMs = Date.now() + LOOK_MS_MAX;
  const files = await logFiles(session);
  let state = start;
  if (!files.includes(state.at.file)) {
    const oldest = { file: files[0] ?? end.file, position: FIRST_POSITION };
    state = { ...withLoss(state, 'unseen', undefined, state.at), at: oldest };
  }
  let events: LogEvent[] | undefined;
  while (compareAddresses(state.at, end) < 0 && Date.now() < deadlineMs) {
    const count = eventsAtOnce(events);
    events = await eventsFrom(session, state.at, count);
    state = follow(state, events, asked);
    if (events.length < count && state.at.file !== end.file) state = nextFile(state, files);
    else if (events.length === 0) return { ...state, at: end };
  }
  return state;
}

function nextFile(state: LogState, files: readonly string[]): LogState {
  const file = files[files.indexOf(state.at.file) + 1];
  return file === undefined ? state : { ...state, at: { file, position: FIRST_POSITION } };
}

/** For a connector that starts again: its first snapshot reads everything. */
export async function forgetLosses(session: SourceSession, epoch = 0): Promise<void> {
  const end = session.kind === 'mariadb' ? await endOfLog(session) : undefined;
  if (end !== undefined) await replaceState(session, { at: end, losses: [], prepared: {}, epoch });
}

function epochOf(config: CheckedSource['config']): number {
  return Number(config['transforms.seamEpoch.value.literal'] ?? 0);
}

function behind(system: string, at: LogAddress, end: LogAddress): TransientError {
  return new TransientError({
    code: 'LOG_LOOK_BEHIND',
    message: `the binary log of ${system} is looked through up to ${addressText(at)}, and ends at ${addressText(end)}`,
    where: `source ${system}`,
    hint: 'nothing to do: the next look goes on there',
  });
}
