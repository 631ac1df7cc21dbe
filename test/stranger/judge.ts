/** Is every table equal? If not: does Seam say so, do its own hints heal it, and does `verify` see the same? */
import { setTimeout as pause } from 'node:timers/promises';
import type { Compared } from './checker.ts';
import { describe } from './finding.ts';
import { agreed, commandsIn, ownersStatementsIn } from './hints.ts';
import { dotted, named, type TablePlan } from './plan.ts';
import type { RunningRound } from './running-round.ts';
import { namesTable, type Said } from './said.ts';
import { opinionOf, type Verified } from './verified.ts';

const SETTLE_MS_MAX = 60_000;
const VERIFY_PATIENCE_S = '4';
const TURNS_MAX = 3;
const COMMANDS_MAX = 16;

export async function judge(round: RunningRound, heals: boolean): Promise<void> {
  round.known = new Set();
  const compared = await round.rest(SETTLE_MS_MAX, SETTLE_MS_MAX / 3);
  const unequal = unequalIn(round, compared);
  round.note(unequal.length === 0 ? 'all equal' : `not equal: ${unequal.map(({ id }) => id).join(', ')}`);
  await verify(round, compared);
  if (unequal.length === 0) return;
  const loud = await heard(round, unequal);
  const now = await round.compareAll();
  for (const table of unequalIn(round, now)) {
    if (!unequal.some(({ id }) => id === table.id) || loud.includes(table)) continue;
    if (isUnseen(round, table)) loud.push(table);
    else round.find('silent', [table.id], describe(now.get(table.entity)));
  }
  if (heals && loud.length > 0) await heal(round, loud);
}

/** Those that Seam speaks of; a slow machine is given a second chance. */
async function heard(round: RunningRound, unequal: readonly TablePlan[]): Promise<TablePlan[]> {
  for (let turn = 0; ; turn += 1) {
    const [said, compared] = [await round.listen(), await round.compareAll()];
    const loud = unequal.filter((table) => round.about(table, said, rowsUnequal(compared, table)).length > 0);
    if (loud.length === unequal.length || turn === 1) return loud;
    await pause((SETTLE_MS_MAX / 4) * round.world.slowness);
  }
}

/** Only steps that no log shows can have done it, and `verify` found it: it is compared with the checker in any case. */
function isUnseen(round: RunningRound, table: TablePlan): boolean {
  return round.done.some((step) => step.unseen && step.tables.includes(table.id));
}

const rowsUnequal = (compared: ReadonlyMap<string, Compared>, { entity }: TablePlan) =>
  compared.get(entity)?.differences.length ?? 0;

function unequalIn(round: RunningRound, compared: ReadonlyMap<string, Compared>): TablePlan[] {
  const isUnequal = (entity: string) => {
    const found = compared.get(entity);
    return found !== undefined && (found.differences.length > 0 || found.error !== undefined);
  };
  return round.mapped().filter((table) => isUnequal(table.entity) && !round.isTwin(table));
}

/** The owner mends what he did, then the hints are followed word for word, and again as long as they say something new. */
async function heal(round: RunningRound, loud: readonly TablePlan[]): Promise<void> {
  const ids = new Set(loud.map(({ id }) => id));
  const heard = new Map<string, string>();
  for (const { repair } of round.done) for (const action of repair) await round.act(action);
  let left: TablePlan[] = [...loud];
  const tried = new Set<string>();
  const hasTime = () => Date.now() < round.limits.healUntilMs;
  for (let turn = 0; turn < TURNS_MAX && left.length > 0 && hasTime(); turn += 1) {
    const said = await round.listen();
    const relevant = left.flatMap((table) => {
      const own = round.about(table, said, 0);
      if (own.length > 0) heard.set(table.id, textOf(own));
      return own;
    });
    // a person does again what stands there again: what was in its way may be gone
    for (const command of await follow(round, relevant)) tried.add(command);
    round.known = new Set();
    left = unequalIn(round, await round.rest(SETTLE_MS_MAX, SETTLE_MS_MAX / 4)).filter(({ id }) => ids.has(id));
  }
  if (left.length > 0 && !hasTime()) return round.note(`no time to heal: ${left.map(({ id }) => id).join(', ')}`);
  const [said, compared] = [await round.listen(), await round.compareAll()];
  for (const table of left) {
    if (isForOwner(round.about(table, said, rowsUnequal(compared, table)))) {
      round.note(`${table.id}: keys that are one row in the target wait for its owner, as dead letters`);
      continue;
    }
    round.find(
      'not healed',
      [table.id],
      `${describe(compared.get(table.entity))}\nsaid: ${heard.get(table.id) ?? ''}\ntried: ${[...tried].join('; ')}`,
    );
  }
}

/** A target whose key takes two keys for one cannot hold both rows: no command changes that. */
function isForOwner(said: readonly Said[]): boolean {
  return said.length > 0 && said.every(({ text }) => text.includes('[KEY_TAKEN]'));
}

/** What a command answers when it refuses is followed too. */
async function follow(round: RunningRound, texts: readonly { text: string }[]): Promise<ReadonlySet<string>> {
  const statements = ownersStatementsIn(texts);
  const tried = new Set(statements);
  await round.act({ do: 'sql', on: 'postgres', sql: statements });
  const open = commandsIn(texts);
  for (let args = open.shift(); args !== undefined; args = open.shift()) {
    const isEnough = tried.size >= COMMANDS_MAX || Date.now() > round.limits.healUntilMs;
    if (tried.has(args.join(' ')) || isEnough) continue;
    tried.add(args.join(' '));
    // a worker that is to be started is started with the others
    if (args[0] === 'run') await round.act({ do: 'restart', what: 'workers' });
    const { complaint } = args[0] === 'run' ? { complaint: '' } : await round.command(agreed(args));
    open.push(...commandsIn([{ text: complaint }]));
  }
  return tried;
}

const textOf = (said: readonly Said[]) =>
  said
    .map(({ where, text }) => `${where}: ${text}`)
    .join('\n')
    .slice(0, 1_200);

async function verify(round: RunningRound, compared: ReadonlyMap<string, Compared>): Promise<void> {
  const { out, complaint } = await round.seam.run(['verify', '--json', '--patience', VERIFY_PATIENCE_S]);
  const json = out.split('\n').find((line) => line.startsWith('{'));
  if (json === undefined) {
    // an error that names a table is an answer about it
    const isNamed = round
      .mapped()
      .some(({ kind, name }) => namesTable(complaint, named(dotted(kind, name), round.names)));
    const ids = round.mapped().map(({ id }) => id);
    if (!isNamed) round.find('verify', ids, `verify gives no result: ${out.slice(-600)}`);
    return;
  }
  const verified = JSON.parse(json) as Verified;
  for (const table of round.mapped().filter((one) => !round.isTwin(one))) {
    const own = compared.get(table.entity);
    if (own === undefined || own.error !== undefined) continue;
    const opinion = opinionOf(table, round.names, verified);
    const differs = own.differences.length > 0;
    if (opinion === undefined || differs === (opinion !== '')) continue;
    round.find(
      'verify',
      [table.id],
      differs ? `verify says equal; ${describe(own)}` : `verify says: ${opinion}; the checker says equal`,
    );
  }
}
