/** What stages and sinks have set aside: found, chosen and grouped by cause. Nothing here shows a value of a record. */
import { readPassword } from '../../adapters/deployment-file.ts';
import { createLogger } from '../../adapters/logger.ts';
import { ParkedRecords, type ParkedRow } from '../../adapters/parked-records.ts';
import type { Deployment } from '../../core/deployment.ts';
import { SeamError } from '../../core/errors.ts';
import { CANONICALIZE } from '../../processors/canonicalize.ts';
import { type Letter, placeText } from '../../processors/dead-letter.ts';
import { FLOW } from '../../processors/flow.ts';
import { openLog } from '../log.ts';
import { readLetters } from '../redrive.ts';
import { systemNamed, systems } from '../systems.ts';
import { accessOf, SINK_USER } from './setup.ts';

/** `refused`: a dead letter; `behind` one of its key; `waiting` for another row, by itself; `asked`: about to be tried. */
export type SetAsideState = 'refused' | 'behind' | 'waiting' | 'asked';
export type Where = { readonly kind: 'target' | 'stage'; readonly name: string };

export type DeadLetter = {
  /** `crm:17`, or `canonicalize:raw.pos.pos.cust/1/523`: stays while the record is set aside. */
  readonly id: string;
  readonly where: Where;
  /** The source of a raw record, or the target; null between them. */
  readonly system: string | null;
  readonly entity: string;
  readonly state: SetAsideState;
  readonly class: string;
  readonly code: string;
  readonly reason: string;
  readonly hint: string | null;
  readonly place: { readonly topic: string; readonly partition: number; readonly offset: string };
  readonly attempts: number;
  readonly setAsideAt: string;
  readonly behind: string | null;
  readonly tried: { readonly by: string; readonly at: string } | null;
};

/** A dead letter with what is needed to act on it. */
export type Found = {
  readonly letter: DeadLetter;
  /** The same for all records of one key in one place. */
  readonly keyName: string;
  readonly parked: ParkedRow | undefined;
  readonly staged: Letter | undefined;
};

export type Choice = {
  readonly ids?: readonly string[];
  readonly system?: string;
  readonly target?: string;
  readonly stage?: string;
  readonly code?: string;
  readonly entity?: string;
};

export type Unreachable = { readonly where: Where; readonly code: string; readonly message: string };
export type SetAside = {
  readonly found: readonly Found[];
  readonly discarded: number;
  /** Places that could not be asked: what they hold is not in the list. */
  readonly unreachable: readonly Unreachable[];
};

export const STAGES = [CANONICALIZE, FLOW] as const;

/** Everything that is set aside in the places that the choice leaves. */
export async function findDeadLetters(deployment: Deployment, choice: Choice = {}): Promise<SetAside> {
  const places = placesOf(deployment, choice);
  const answers = await Promise.all(places.map((where) => findIn(deployment, where)));
  const found = answers.flatMap((answer) => ('found' in answer ? answer.found : []));
  return {
    found,
    discarded: answers.reduce((sum, answer) => sum + ('found' in answer ? answer.discarded : 0), 0),
    unreachable: answers.flatMap((answer) => ('found' in answer ? [] : [answer])),
  };
}

export function isChosen({ letter }: Found, choice: Choice): boolean {
  const { ids, system, target, stage, code, entity } = choice;
  return (
    (ids === undefined || ids.includes(letter.id)) &&
    (system === undefined || letter.system === system) &&
    (target === undefined || (letter.where.kind === 'target' && letter.where.name === target)) &&
    (stage === undefined || (letter.where.kind === 'stage' && letter.where.name === stage)) &&
    (code === undefined || letter.code === code) &&
    (entity === undefined || letter.entity.split(', ').includes(entity))
  );
}

function placesOf(deployment: Deployment, { ids, target, stage }: Choice): Where[] {
  const targets = systems
    .filter((system) => system.target !== null && deployment.systems[system.system] !== undefined)
    .map(({ system }): Where => ({ kind: 'target', name: system }));
  const all = [...STAGES.map((name): Where => ({ kind: 'stage', name })), ...targets];
  const named = new Set(ids?.map((id) => id.slice(0, id.indexOf(':'))));
  return all.filter(
    ({ kind, name }) =>
      (target === undefined || (kind === 'target' && name === target)) &&
      (stage === undefined || (kind === 'stage' && name === stage)) &&
      (ids === undefined || named.has(name)),
  );
}

type Answer = { readonly found: Found[]; readonly discarded: number } | Unreachable;

async function findIn(deployment: Deployment, where: Where): Promise<Answer> {
  try {
    return where.kind === 'stage' ? await findInStage(deployment, where) : await findInTarget(deployment, where);
  } catch (error) {
    if (!(error instanceof SeamError)) throw error;
    return { where, code: error.code, message: error.message };
  }
}

export function openDeadLetterLog(deployment: Deployment) {
  return openLog(deployment, 'seam-dead-letter', createLogger('warn'));
}

async function findInStage(deployment: Deployment, where: Where): Promise<Answer> {
  const letters = await readLetters(openDeadLetterLog(deployment), where.name);
  const open = letters.filter(({ state }) => state !== 'discarded');
  return { found: open.map((staged) => foundInStage(where, staged)), discarded: letters.length - open.length };
}

function foundInStage(where: Where, staged: Letter): Found {
  const { place, state, code, reason, attempts, setAsideAtMs } = staged;
  const source = sourceOf(place.topic);
  const letter: DeadLetter = {
    id: `${where.name}:${placeText(place)}`,
    where,
    ...source,
    state: state === 'waiting' ? 'behind' : 'refused',
    class: staged.class,
    code,
    reason,
    hint: staged.hint ?? null,
    place: { topic: place.topic, partition: place.partition, offset: String(place.offset) },
    attempts,
    setAsideAt: new Date(setAsideAtMs).toISOString(),
    behind: staged.behind === undefined ? null : `${where.name}:${staged.behind}`,
    tried: staged.tried ?? null,
  };
  // without a key nothing waits for it
  const keyName = `${where.name}\n${place.topic}\n${staged.keyId ?? `\n${place.partition}/${place.offset}`}`;
  return { letter, keyName, parked: undefined, staged };
}

/** `raw.<system>.<table>` or `canonical.<entity>`. */
function sourceOf(topic: string): { readonly system: string | null; readonly entity: string } {
  const [kind, system = '', ...table] = topic.split('.');
  if (kind !== 'raw') return { system: null, entity: topic.replace(/^canonical\./, '') };
  const mapping = systemNamed(system)?.source?.mapping.tables[table.join('.')];
  const isMapped = mapping !== undefined && !('kind' in mapping);
  return { system, entity: isMapped ? mapping.map(({ entity }) => entity).join(', ') : table.join('.') };
}

async function findInTarget(deployment: Deployment, where: Where): Promise<Answer> {
  return usingParked(deployment, where.name, async (records) => {
    const rows = await records.list();
    return { found: rows.map((row) => foundInTarget(where, row)), discarded: (await records.discarded()).length };
  });
}

function foundInTarget(where: Where, parked: ParkedRow): Found {
  const { id, entity, key, topic, partition, offset, code, reason, attempts, state } = parked;
  const letter: DeadLetter = {
    id: `${where.name}:${id}`,
    where,
    system: where.name,
    entity,
    state,
    class: 'record',
    code,
    reason,
    hint:
      state === 'refused'
        ? `correct it at its source, or what sinks/targets/${where.name}/target.ts makes of it; then run: seam dead-letter retry --id ${where.name}:${id}`
        : null,
    place: { topic, partition, offset: String(offset) },
    attempts,
    setAsideAt: new Date(parked.parkedAtMs).toISOString(),
    behind: null,
    tried: parked.askedBy === null ? null : { by: parked.askedBy, at: new Date(parked.askedAtMs ?? 0).toISOString() },
  };
  return { letter, keyName: `${where.name}\n${entity}\n${key}`, parked, staged: undefined };
}

/** With the sink's own user: what it may do is what may be asked for. */
export async function usingParked<T>(
  deployment: Deployment,
  target: string,
  action: (records: ParkedRecords) => Promise<T>,
): Promise<T> {
  const access = accessOf(deployment, target);
  const { kind, host, port, database } = access;
  const password = await readPassword(access, 'sink');
  const records = await ParkedRecords.open(target, { dialect: kind, host, port, database, user: SINK_USER, password });
  try {
    return await action(records);
  } finally {
    await records.close();
  }
}

// ---- by cause --------------------------------------------------------------------------------------------------------

export type Cause = Pick<DeadLetter, 'where' | 'system' | 'entity' | 'class' | 'code' | 'reason' | 'hint'> & {
  readonly deadLetters: number;
  /** Records of the same keys that have not been looked at. */
  readonly waitingBehind: number;
  readonly attemptsMax: number;
  readonly oldest: string;
  readonly newest: string;
  /** Some of them. */
  readonly ids: readonly string[];
};

export type DeadLetterList = {
  readonly causes: readonly Cause[];
  readonly deadLetters: number;
  readonly waitingBehind: number;
  /** Tried again by themselves when the row that they need comes. */
  readonly waitingForRows: number;
  readonly discarded: number;
  readonly unreachable: readonly Unreachable[];
};

const IDS_SHOWN = 5;

export async function listDeadLetters(deployment: Deployment, choice: Choice = {}): Promise<DeadLetterList> {
  const { found, discarded, unreachable } = await findDeadLetters(deployment, choice);
  const refused = found.filter(({ letter }) => letter.state === 'refused' || letter.state === 'asked');
  const chosen = refused.filter((one) => isChosen(one, choice));
  const causes = causesOf(chosen, found);
  return {
    causes,
    deadLetters: chosen.length,
    waitingBehind: causes.reduce((sum, cause) => sum + cause.waitingBehind, 0),
    waitingForRows: found.filter((one) => one.letter.state === 'waiting' && isChosen(one, choice)).length,
    discarded,
    unreachable,
  };
}

/** Most first. What waits counts with the first refused record of its key. */
function causesOf(refused: readonly Found[], all: readonly Found[]): Cause[] {
  const behind = new Map<string, number>();
  for (const { letter, keyName } of all) {
    if (letter.state === 'behind') behind.set(keyName, (behind.get(keyName) ?? 0) + 1);
  }
  const groups = Map.groupBy(refused, ({ letter: { where, entity, code, reason } }) =>
    [where.name, entity, code, reason].join('\n'),
  );
  const causes = [...groups.values()].map((group): Cause => {
    const [{ letter }] = group as [Found];
    const times = group.map((one) => one.letter.setAsideAt).sort();
    let waitingBehind = 0;
    for (const { keyName } of group) {
      waitingBehind += behind.get(keyName) ?? 0;
      behind.delete(keyName);
    }
    const { where, system, entity, class: errorClass, code, reason, hint } = letter;
    return {
      ...{ where, system, entity, class: errorClass, code, reason, hint },
      deadLetters: group.length,
      waitingBehind,
      attemptsMax: Math.max(...group.map((one) => one.letter.attempts)),
      oldest: times[0] as string,
      newest: times.at(-1) as string,
      ids: group.slice(0, IDS_SHOWN).map((one) => one.letter.id),
    };
  });
  return causes.sort((left, right) => right.deadLetters - left.deadLetters);
}
