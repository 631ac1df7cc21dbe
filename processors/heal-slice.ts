/**
 * A slice where corrected rows heal by themselves (`laterRecords: heal`): which of its records the stage looks at, and which take the
 * place of everything that is set aside of their key. The others wait behind it, in order.
 */
import type { LogRecord, LogSlice } from '../core/ports.ts';
import { type Claims, NOTHING_KNOWN, type RecordClaims, takesPlaceOf } from './claims.ts';
import { keyIdOf } from './dead-letter.ts';
import type { ParkedView } from './parked-keys.ts';
import type { Stage, Transformed } from './stage.ts';

export type Healed = {
  readonly kept: readonly LogRecord[];
  readonly transformed: Transformed;
  readonly healers: ReadonlySet<LogRecord>;
  readonly claims: ReadonlyMap<LogRecord, RecordClaims>;
};

const NOTHING: Transformed = { outputs: [], rejected: [], counts: {} };

/** The stage is asked again for as long as it refuses more records: it answers the same for the others. */
export async function transformHealing(stage: Stage, parked: ParkedView, slice: LogSlice): Promise<Healed> {
  const refused = new Set<LogRecord>();
  for (;;) {
    const walk = await walkKeys(stage, parked, slice, refused);
    const { kept } = walk;
    const transformed = kept.length === 0 ? NOTHING : await stage.transform({ ...slice, records: kept });
    const more = transformed.rejected.filter(({ record }) => !refused.has(record));
    for (const { record } of more) refused.add(record);
    const isFollowed = more.some(({ record }) => walk.healers.has(record) || hasFollower(kept, record));
    if (!isFollowed) return { ...walk, ...(await withClaims(stage, slice, walk, more)), transformed };
  }
}

type Walk = Omit<Healed, 'transformed'>;

async function walkKeys(
  stage: Stage,
  parked: ParkedView,
  slice: LogSlice,
  refused: ReadonlySet<LogRecord>,
): Promise<Walk> {
  const refusedKeys = new Set([...refused].map(({ key }) => keyIdOf(key)));
  const isConcerned = ({ key }: LogRecord) => {
    const keyId = keyIdOf(key);
    return keyId !== undefined && (refusedKeys.has(keyId) || parked.oldest(slice.topic, keyId) !== undefined);
  };
  const isAny = refused.size > 0 || parked.count(slice.topic) > 0;
  const concerned = isAny ? slice.records.filter(isConcerned) : [];
  if (concerned.length === 0) return { kept: slice.records, healers: new Set(), claims: new Map() };
  const claims = await claimsOf(stage, slice, concerned);
  const pending = new Map<string, Claims[]>();
  const healers = new Set<LogRecord>();
  const kept = slice.records.filter((record) => {
    const own = claims.get(record);
    const keyId = keyIdOf(record.key);
    if (own === undefined || keyId === undefined) return true;
    const before = pending.get(keyId) ?? parked.ofKey(slice.topic, keyId).map((one) => one.claims);
    const isHealer = before.length > 0 && !refused.has(record) && takesPlaceOf(before, own);
    if (isHealer) healers.add(record);
    const isKept = before.length === 0 || isHealer;
    if (isKept) pending.set(keyId, refused.has(record) ? [own.refused] : []);
    else pending.set(keyId, [...before, own.unsaid]);
    return isKept;
  });
  return { kept, healers, claims };
}

async function claimsOf(stage: Stage, slice: LogSlice, records: readonly LogRecord[]) {
  const answers = (await stage.claims?.({ ...slice, records })) ?? [];
  return new Map(records.map((record, index) => [record, answers[index] ?? NOTHING_KNOWN]));
}

/** A refused record that nothing follows in this slice: what it says is kept with it. */
async function withClaims(stage: Stage, slice: LogSlice, walk: Walk, rejected: Transformed['rejected']) {
  const unknown = rejected.map(({ record }) => record).filter((record) => !walk.claims.has(record));
  if (unknown.length === 0) return {};
  return { claims: new Map([...walk.claims, ...(await claimsOf(stage, slice, unknown))]) };
}

function hasFollower(kept: readonly LogRecord[], refused: LogRecord): boolean {
  const keyId = keyIdOf(refused.key);
  return keyId !== undefined && kept.some(({ key, offset }) => offset > refused.offset && keyIdOf(key) === keyId);
}
