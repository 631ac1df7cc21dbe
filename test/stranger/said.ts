/**
 * What Seam says of a table, where a person looks: `seam status` and the dead letters. A table is spoken of by its own name, its own
 * records, or by something that stops all tables of its source or target. A warning about a whole source speaks of no table.
 * What the workers once wrote into their logs counts only for code that has no `seam status`.
 */
import { dotted, type Kind, type Names, named, type TablePlan } from './plan.ts';
import { entityOf } from './project.ts';
import type { Answer, Seam } from './seam.ts';

/** What is wrong, and with what. `about`: whatever of this name is concerned. */
export type Said = {
  readonly where: string;
  readonly text: string;
  readonly about: About;
  /** Warnings of a table that come before anything is lost are known by this. */
  readonly id: string;
  readonly isWarning: boolean;
  /** Of dead letters: so many rows and not more can be unequal because of them. */
  readonly rowsMax?: number;
};

export type About =
  | { readonly kind: 'source' | 'target' | 'worker' | 'topic' | 'entity'; readonly name: string }
  | { readonly kind: 'table' | 'target-table'; readonly name: string; readonly table: string }
  /** A text without structure: it speaks of the tables whose names stand in it. */
  | { readonly kind: 'text' };

/** Lines of a log that begin a complaint, as against those that only describe. */
const COMPLAINT = /FAILED|\[[A-Z]+(?:_[A-Z]+)+\]|hint:|next:|refused|halt|stopped|✘|"level":(?:40|50|60)|error/i;
const DESCRIPTION = /read by nobody|tables that nobody reads/;
/** A key change that is refused leaves two rows, of the old key and of the new one. */
const ROWS_OF_A_LETTER = 2;

export async function listen(seam: Seam, knowsStatus: boolean): Promise<Said[]> {
  if (!knowsStatus) return listenToFormerCode(seam);
  const [status, letters] = await Promise.all([
    seam.run(['status', '--json']),
    seam.run(['dead-letter', 'list', '--json']),
  ]);
  return [...conditionsIn(status), ...lettersIn(letters)];
}

type Condition = {
  readonly id: string;
  readonly severity: string;
  readonly object: Readonly<Record<string, string>>;
  readonly text: string;
  readonly where?: string;
  readonly next?: string;
};

export function conditionsIn({ out }: Pick<Answer, 'out'>): Said[] {
  const { conditions = [] } = jsonIn(out) as { conditions?: readonly Condition[] };
  return conditions.map(({ id, severity, object, text, where, next }) => ({
    where: 'status',
    text: [`${text} [${id}]`, where, next].filter((part) => part !== undefined).join('\n  '),
    about: aboutOf(object),
    id,
    isWarning: severity !== 'halt',
  }));
}

function aboutOf(object: Readonly<Record<string, string>>): About {
  const { kind = '', system = '', table = '', topic = '', worker = '' } = object;
  if (kind === 'table' || kind === 'target-table') return { kind, name: system, table };
  if (kind === 'source' || kind === 'target') return { kind, name: system };
  return kind === 'topic' ? { kind, name: topic } : { kind: 'worker', name: worker };
}

type Cause = {
  readonly entity: string;
  readonly code: string;
  readonly reason: string;
  readonly hint: string | null;
  readonly deadLetters: number;
  readonly ids: readonly string[];
};

export function lettersIn({ out }: Pick<Answer, 'out'>): Said[] {
  const { causes = [] } = jsonIn(out) as { causes?: readonly Cause[] };
  return causes.flatMap(({ entity, code, reason, hint, deadLetters, ids }) =>
    entity.split(', ').map((one) => ({
      where: 'dead-letter list',
      text: `${one}: ${deadLetters} × ${reason} [${code}]\n  ${ids.join(' ')}\n  ${hint ?? ''}`,
      about: { kind: 'entity' as const, name: one },
      id: code,
      isWarning: false,
      rowsMax: code.startsWith('TRUNCAT') ? Infinity : ROWS_OF_A_LETTER * deadLetters,
    })),
  );
}

function jsonIn(out: string): object {
  const line = out.split('\n').find((one) => one.startsWith('{'));
  return line === undefined ? {} : (JSON.parse(line) as object);
}

/** `tables`: those that share an entity. `unequal`: how many of its rows differ. */
export function saidOf(
  tables: readonly TablePlan[],
  names: Names,
  said: readonly Said[],
  known: ReadonlySet<string> = new Set(),
  unequal = 0,
): Said[] {
  const own = said.filter((one) => !known.has(keyOf(one)) && tables.some((table) => speaksOf(one, table, names)));
  const rowsMax = own.reduce((sum, one) => sum + (one.rowsMax ?? Infinity), 0);
  return unequal > rowsMax ? [] : own;
}

/** Warnings that stand while a table is equal: they do not say that it is not. */
export function knownWarnings(said: readonly Said[]): Set<string> {
  return new Set(said.filter(({ isWarning }) => isWarning).map(keyOf));
}

const keyOf = ({ id, about }: Said) => `${id} ${JSON.stringify(about)}`;

function speaksOf({ about, text, isWarning }: Said, table: TablePlan, names: Names): boolean {
  const system = names[table.kind];
  const target = names[table.target.kind];
  switch (about.kind) {
    case 'text':
      return wordsOf(table, names).some((word) => namesTable(text, word));
    case 'table':
      return about.name === system && about.table === named(dotted(table.kind, table.name), names);
    case 'target-table':
      return about.name === target && about.table === named(dotted(table.target.kind, table.target.name), names);
    case 'entity':
      return about.name === entityOf(table, names);
    case 'topic':
      return topicsOf(table, names).includes(about.name);
    case 'source':
      return about.name === system && !isWarning;
    case 'target':
      return about.name === target && !isWarning;
    case 'worker':
      return !isWarning && (!about.name.startsWith('sink-') || about.name === `sink-${target}`);
  }
}

/** Kafka takes few characters: the others are spelled by their numbers. */
function topicsOf(table: TablePlan, names: Names): string[] {
  const raw = named(dotted(table.kind, table.name), names).replaceAll(
    /[^A-Za-z0-9._-]/g,
    (sign) => `_u${sign.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
  return [`raw.${names[table.kind]}.${raw}`, `canonical.${entityOf(table, names)}`];
}

function wordsOf(table: TablePlan, names: Names): string[] {
  const at = (kind: Kind, name: string) => named(dotted(kind, name), names);
  return [at(table.kind, table.name), at(table.target.kind, table.target.name), entityOf(table, names)];
}

export function namesTable(text: string, table: string): boolean {
  return new RegExp(`(?<![\\w-])${table.replaceAll(/[\\^$.*+?()[\]{}|]/g, '\\$&')}(?![\\w-])`).test(text);
}

// ---- code that has no `seam status` ----------------------------------------------------------------------------------

async function listenToFormerCode(seam: Seam): Promise<Said[]> {
  const answers = await Promise.all([seam.run(['connectors', 'status']), seam.run(['dead-letter', 'list'])]);
  const texts = answers.flatMap(({ args, out }) => blocksOf(out).map((text) => ({ where: args.join(' '), text })));
  for (const [where, text] of await seam.words()) {
    const lines = text.split('\n').filter((line) => line !== '');
    const unique = new Set(lines.map((line) => line.replaceAll(/"time":"[^"]*"/g, '')));
    for (const line of [...unique].slice(-200)) texts.push({ where, text: line });
  }
  return texts
    .filter(({ text }) => COMPLAINT.test(text))
    .map(({ where, text }) => ({ where, text, about: aboutText(text), id: '', isWarning: false }));
}

/** A connector that failed stops all tables of its source. */
function aboutText(text: string): About {
  const failed = text.match(/^seam-([\w-]+): .*FAILED/);
  return failed === null ? { kind: 'text' } : { kind: 'source', name: failed[1] as string };
}

/** A line, with what is indented below it. */
export function blocksOf(out: string): string[] {
  const blocks: string[] = [];
  for (const line of out.split('\n')) {
    if (line.trim() === '' || DESCRIPTION.test(line)) continue;
    if (/^\s/.test(line) && blocks.length > 0) blocks[blocks.length - 1] += `\n${line}`;
    else blocks.push(line);
  }
  return blocks;
}
