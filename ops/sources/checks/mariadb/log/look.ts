/**
 * One look at what the log gained since the last one. Where it is cut (the worker dies, the look takes too long), the next look goes
 * on; where a part of the log was purged before it was looked at, that is a loss itself.
 */
import { TransientError } from '../../../../../core/errors.ts';
import type { SourceSession } from '../../../../resnapshot/source-session.ts';
import type { CheckedSource } from '../../check.ts';
import { addressText, compareAddresses, type LogAddress } from './address.ts';
import { EVENTS_AT_ONCE, endOfLog, eventsFrom, FIRST_POSITION, logFiles, preparedNow } from './events.ts';
import { follow, type Loss, type LogState, settled, withLoss } from './follow.ts';
import { loadState, replaceState, type Stored, storeState } from './state.ts';

const LOOK_MS_MAX = 20_000;
/** The row is written no more often while nothing is found: each time costs the source a transaction. */
const STORE_EVERY_MS = 30_000;
const ATTEMPTS_MAX = 10;

type Known = { readonly text: string; readonly state: LogState; readonly storedAtMs: number };
/** What this process has read beyond the stored row, by system. */
const ahead = new Map<string, Known>();

/** Every loss that was not healed yet. */
export async function lossesInLog(source: CheckedSource): Promise<readonly Loss[]> {
  const { session, system } = source;
  const end = await endOfLog(session);
  if (end === undefined) return [];
  const stored = await loadState(session);
  const known = ahead.get(system);
  const isKnown = known !== undefined && known.text === stored?.text;
  const from = isKnown ? known.state : (stored?.state ?? (await firstState(source, end)));
  const state = await readTo(session, from, end, source.tables);
  await remember(session, system, state, stored, isKnown ? known.storedAtMs : 0);
  if (compareAddresses(state.at, end) < 0) throw behind(system, state.at, end);
  return state.losses;
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

async function readTo(
  session: SourceSession,
  start: LogState,
  end: LogAddress,
  captured: readonly string[],
): Promise<LogState> {
  const deadlineMs = Date.now() + LOOK_MS_MAX;
  const files = await logFiles(session);
  let state = start;
  if (!files.includes(state.at.file)) {
    const oldest = { file: files[0] ?? end.file, position: FIRST_POSITION };
    state = { ...withLoss(state, 'unseen', undefined, state.at), at: oldest };
  }
  while (compareAddresses(state.at, end) < 0 && Date.now() < deadlineMs) {
    const events = await eventsFrom(session, state.at);
    state = follow(state, events, captured);
    if (events.length < EVENTS_AT_ONCE && state.at.file !== end.file) state = nextFile(state, files);
    else if (events.length === 0) return { ...state, at: end };
  }
  return state;
}

function nextFile(state: LogState, files: readonly string[]): LogState {
  const file = files[files.indexOf(state.at.file) + 1];
  return file === undefined ? state : { ...state, at: { file, position: FIRST_POSITION } };
}

/** To be taken before tables are read again; `settleLosses` takes it when they were. */
export async function placeInLog(session: SourceSession): Promise<LogAddress | undefined> {
  return session.kind === 'mariadb' ? endOfLog(session) : undefined;
}

/**
 * These tables were read again, whole, and what they no longer have was deleted: from this place of the log on. What the log
 * says before it is looked through first, or it would be found afterwards.
 */
export async function settleLosses(
  session: SourceSession,
  tables: readonly string[],
  from: LogAddress,
  all: readonly string[],
): Promise<void> {
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt += 1) {
    const stored = await loadState(session);
    if (stored === undefined) return;
    const state = settled(await readTo(session, stored.state, from, all), tables, from, all);
    await storeState(session, state, stored.text);
    // another one may have stored something at the same time
    if ((await loadState(session))?.text === JSON.stringify(state)) return;
  }
}

/** For a connector that starts anew: its first snapshot reads everything. */
export async function forgetLosses(session: SourceSession): Promise<void> {
  const end = await placeInLog(session);
  if (end !== undefined) await replaceState(session, { at: end, losses: [], prepared: {} });
}

function behind(system: string, at: LogAddress, end: LogAddress): TransientError {
  return new TransientError({
    code: 'LOG_LOOK_BEHIND',
    message: `the binary log of ${system} is looked through up to ${addressText(at)}, and ends at ${addressText(end)}`,
    where: `source ${system}`,
    hint: 'nothing to do: the next look goes on there',
  });
}
