/**
 * Retry and discard: whole keys, in order. What is asked is carried out by the running workers; the answer is read from what
 * they leave. A record that was refused so often that another attempt looks like a loop is tried only with `force`.
 */
import { hostname, userInfo } from 'node:os';
import { setTimeout as pause } from 'node:timers/promises';
import type { Deployment } from '../../core/deployment.ts';
import { KEY_PARKED } from '../../processors/dead-letter.ts';
import { redriveRecord } from '../../processors/redrive.ts';
import { appendToLane } from '../redrive.ts';
import {
  type Choice,
  findDeadLetters,
  type Found,
  isChosen,
  openDeadLetterLog,
  type Unreachable,
  usingParked,
  type Where,
} from './dead-letters.ts';

/** Attempts after which a record is tried only with `force`. */
export const RETRY_ATTEMPTS_MAX = 5;
const POLL_MS = 500;

export type Outcome =
  | 'landed'
  | 'discarded'
  | 'refused-again'
  | 'waiting-for-rows'
  /** Nobody answered in time: no worker runs, or it is busy. What was asked stays asked. */
  | 'not-tried'
  /** Refused too often; `force` tries it all the same. */
  | 'attempts-exhausted';

export type KeyPlan = {
  readonly where: Where;
  readonly entity: string;
  /** Refused records of the key, oldest first. */
  readonly ids: readonly string[];
  readonly waitingBehind: number;
  readonly attempts: number;
  readonly isExhausted: boolean;
};

export type KeyAnswer = Pick<KeyPlan, 'where' | 'entity' | 'ids'> & {
  readonly outcome: Outcome;
  readonly code: string | null;
  readonly detail: string;
};

export type RedrivePlan = {
  readonly keys: readonly KeyPlan[];
  readonly unreachable: readonly Unreachable[];
  readonly found: readonly Found[];
};

/** Every key of which a record is chosen, with all that is set aside of it. */
export async function planRedrive(deployment: Deployment, choice: Choice, force = false): Promise<RedrivePlan> {
  const { found, unreachable } = await findDeadLetters(deployment, choice);
  const open = found.filter(({ letter }) => letter.state !== 'waiting');
  const names = new Set(open.filter((one) => isChosen(one, choice)).map(({ keyName }) => keyName));
  const keys = [...groupsOf(open.filter(({ keyName }) => names.has(keyName))).values()];
  return { keys: keys.map((records) => keyPlan(records, force)), unreachable, found: open };
}

function groupsOf(found: readonly Found[]): Map<string, Found[]> {
  return Map.groupBy(found, ({ keyName }) => keyName);
}

function keyPlan(records: readonly Found[], force: boolean): KeyPlan {
  const [{ letter }] = records as readonly [Found];
  const refused = records.filter((one) => one.letter.state !== 'behind');
  const attempts = Math.max(0, ...refused.map((one) => one.letter.attempts));
  return {
    where: letter.where,
    entity: letter.entity,
    ids: (refused.length === 0 ? records : refused).map((one) => one.letter.id),
    waitingBehind: records.length - refused.length,
    attempts,
    isExhausted: !force && attempts >= RETRY_ATTEMPTS_MAX,
  };
}

export type RedriveOptions = { readonly patienceMs: number; readonly by?: string };

export function operatorName(): string {
  return `${userInfo().username}@${hostname()}`;
}

export async function retryDeadLetters(
  deployment: Deployment,
  { keys, found }: RedrivePlan,
  options: RedriveOptions,
): Promise<KeyAnswer[]> {
  const refused = keys.filter(({ isExhausted }) => isExhausted);
  const answers = refused.map((key): KeyAnswer => {
    const detail = `refused ${key.attempts} times; --force tries it again`;
    return { ...named(key), outcome: 'attempts-exhausted', code: null, detail };
  });
  const tried = keys.filter((key) => !refused.includes(key));
  const byWhere = Map.groupBy(tried, ({ where }) => `${where.kind} ${where.name}`);
  for (const group of byWhere.values()) {
    const records = recordsOf(group, found);
    const by = options.by ?? operatorName();
    answers.push(...(await redrive(deployment, records, { ...options, by, reason: 'retry', discardIds: new Set() })));
  }
  return answers;
}

/**
 * What a choice gives up: refused records. What waits behind one may be its correction, so it goes only where it was named itself.
 */
export function givenUp(found: readonly Found[], choice: Choice): Found[] {
  const isNamed = ({ letter }: Found) => choice.ids?.includes(letter.id) === true || choice.code === KEY_PARKED;
  return found.filter((one) => isChosen(one, choice) && (one.letter.state !== 'behind' || isNamed(one)));
}

/** Only what the choice gives up goes; what waits behind is tried, in order, where nothing else holds it. */
export async function discardDeadLetters(
  deployment: Deployment,
  { keys, found }: RedrivePlan,
  choice: Choice,
  options: RedriveOptions & { readonly reason: string },
): Promise<KeyAnswer[]> {
  const discarded = givenUp(found, choice);
  const discardIds = new Set(discarded.map(({ letter }) => letter.id));
  const names = new Set(discarded.map(({ keyName }) => keyName));
  const answers: KeyAnswer[] = [];
  const concerned = keys.filter((key) => recordsOf([key], found).some(({ keyName }) => names.has(keyName)));
  for (const group of Map.groupBy(concerned, ({ where }) => `${where.kind} ${where.name}`).values()) {
    const by = options.by ?? operatorName();
    answers.push(...(await redrive(deployment, recordsOf(group, found), { ...options, by, discardIds })));
  }
  return answers;
}

function recordsOf(keys: readonly KeyPlan[], found: readonly Found[]): Found[] {
  const ids = new Set(keys.flatMap((key) => key.ids));
  const names = new Set(found.filter(({ letter }) => ids.has(letter.id)).map(({ keyName }) => keyName));
  return found.filter(({ keyName }) => names.has(keyName));
}

type Asked = {
  readonly by: string;
  readonly reason: string;
  readonly patienceMs: number;
  readonly discardIds: ReadonlySet<string>;
};

/** One place. Asks, reads what became of it, and asks again for what came behind meanwhile. */
async function redrive(deployment: Deployment, records: readonly Found[], asked: Asked): Promise<KeyAnswer[]> {
  const first = records[0];
  if (first === undefined) return [];
  const { where } = first.letter;
  const keys = new Map([...groupsOf(records)].map(([name, ofKey]) => [name, new KeyWatch(ofKey, asked.discardIds)]));
  await ask(deployment, where, records, asked);
  const endMs = Date.now() + asked.patienceMs;
  for (;;) {
    const left = groupsOf(await findNow(deployment, where));
    const again: Found[] = [];
    for (const [name, watch] of keys) again.push(...watch.look(left.get(name) ?? []));
    const isOpen = [...keys.values()].some(({ answer }) => answer === undefined);
    if (!isOpen || Date.now() > endMs) break;
    if (again.length > 0) await ask(deployment, where, again, { ...asked, discardIds: new Set() });
    await pause(POLL_MS);
  }
  return [...keys.values()].map((watch) => watch.finish());
}

async function findNow(deployment: Deployment, where: Where): Promise<readonly Found[]> {
  const choice = where.kind === 'stage' ? { stage: where.name } : { target: where.name };
  return (await findDeadLetters(deployment, choice)).found;
}

async function ask(deployment: Deployment, where: Where, records: readonly Found[], asked: Asked): Promise<void> {
  if (where.kind === 'stage') await askStage(deployment, where.name, records, asked);
  else await askTarget(deployment, where.name, records, asked);
}

/** Discards first: the rest of the key is then free to be tried, oldest first. */
async function askStage(deployment: Deployment, stage: string, records: readonly Found[], asked: Asked): Promise<void> {
  const free = withoutHeld(records, asked.discardIds);
  const ordered = [...records.filter(({ letter }) => asked.discardIds.has(letter.id)), ...free];
  const requests = ordered.flatMap(({ letter, staged }) => {
    if (staged === undefined) return [];
    const action = asked.discardIds.has(letter.id) ? 'discard' : 'retry';
    return [redriveRecord(stage, action, staged.place, staged.original, asked)];
  });
  await appendToLane(openDeadLetterLog(deployment), requests);
}

async function askTarget(
  deployment: Deployment,
  target: string,
  records: readonly Found[],
  asked: Asked,
): Promise<void> {
  const ids = records.flatMap(({ letter, parked }) =>
    parked !== undefined && asked.discardIds.has(letter.id) ? [parked.id] : [],
  );
  await usingParked(deployment, target, async (store) => {
    if (ids.length > 0) await store.discard(ids, asked.by, asked.reason);
    else await store.ask(keysOf(records), asked.by);
  });
}

function keysOf(records: readonly Found[]): { entity: string; key: string }[] {
  const keys = [...groupsOf(records).values()];
  return keys.flatMap(([first]) => (first?.parked === undefined ? [] : [first.parked]));
}

/** A discard asks for what waits behind, but for no other refused record. */
function withoutHeld(records: readonly Found[], discardIds: ReadonlySet<string>): Found[] {
  const rest = records.filter(({ letter }) => !discardIds.has(letter.id));
  if (discardIds.size === 0) return rest;
  const held = new Set(rest.filter(({ letter }) => letter.state !== 'behind').map(({ keyName }) => keyName));
  return rest.filter(({ keyName }) => !held.has(keyName));
}

/** What becomes of one key. */
class KeyWatch {
  readonly #records: readonly Found[];
  readonly #discards: number;
  readonly #attempts: Map<string, number>;
  /** Refused, and not to be given up: a discard leaves them as they are. */
  readonly #isHeld: boolean;
  answer: Pick<KeyAnswer, 'outcome' | 'code' | 'detail'> | undefined;

  constructor(records: readonly Found[], discardIds: ReadonlySet<string>) {
    this.#records = records;
    this.#discards = records.filter(({ letter }) => discardIds.has(letter.id)).length;
    this.#attempts = new Map(records.map(({ letter }) => [letter.id, letter.attempts]));
    const rest = records.filter(({ letter }) => !discardIds.has(letter.id));
    this.#isHeld = this.#discards > 0 && rest.some(({ letter }) => letter.state !== 'behind');
    for (const { letter } of records) if (discardIds.has(letter.id)) this.#attempts.set(letter.id, Number.NaN);
  }

  /** What is left of the key; returns what is to be asked for again. */
  look(left: readonly Found[]): readonly Found[] {
    if (this.answer !== undefined) return [];
    const isDiscarding = left.some(({ letter }) => Number.isNaN(this.#attempts.get(letter.id)));
    if (isDiscarding || left.some(({ letter }) => letter.state === 'asked')) return [];
    const [oldest] = left.filter(({ letter }) => letter.state === 'refused');
    if (left.length === 0) this.#say('landed');
    else if (oldest !== undefined && (this.#isHeld || this.#isTried(oldest))) this.#say('refused-again', oldest);
    else if (left.every(({ letter }) => letter.state === 'waiting')) this.#say('waiting-for-rows');
    else if (
      left.every(({ letter }) => !this.#attempts.has(letter.id)) ||
      left.every(({ letter }) => letter.state === 'behind')
    ) {
      for (const { letter } of left) this.#attempts.set(letter.id, letter.attempts);
      return left;
    }
    return [];
  }

  finish(): KeyAnswer {
    const [{ letter }] = this.#records as readonly [Found];
    const ids = this.#records.filter((one) => one.letter.state !== 'behind').map((one) => one.letter.id);
    const silent = {
      outcome: 'not-tried',
      code: null,
      detail: 'no worker has answered; what was asked stays asked',
    } as const;
    return { where: letter.where, entity: letter.entity, ids, ...(this.answer ?? silent) };
  }

  /** Set aside since it was asked for, or refused once more. */
  #isTried({ letter }: Found): boolean {
    return letter.attempts > (this.#attempts.get(letter.id) ?? -1);
  }

  #say(outcome: Outcome, refused?: Found): void {
    const count = this.#records.length;
    const isDiscard = this.#discards > 0;
    const code = refused?.letter.code ?? null;
    if (outcome === 'refused-again' && refused !== undefined) {
      const { reason, attempts } = refused.letter;
      const detail = `${reason}${attempts === 0 ? '' : `, attempt ${attempts}`}`;
      this.answer = { outcome: isDiscard && this.#isHeld ? 'discarded' : outcome, code, detail };
    } else if (outcome === 'landed') {
      const landed = count - this.#discards;
      const rest = landed === 0 ? 'nothing waited behind' : `${landed} behind landed`;
      const isTarget = this.#records[0]?.letter.where.kind === 'target';
      const told =
        count === 1 ? '1 record' : isTarget ? `the newest of ${count} records decided` : `${count} records, in order`;
      this.answer = { outcome: isDiscard ? 'discarded' : 'landed', code, detail: isDiscard ? rest : told };
    } else {
      this.answer = { outcome, code, detail: 'the row that it needs is not there yet; it is tried by itself' };
    }
  }
}

function named({ where, entity, ids }: KeyPlan): Pick<KeyAnswer, 'where' | 'entity' | 'ids'> {
  return { where, entity, ids };
}
