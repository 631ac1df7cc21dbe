/** The stranger without its servers: the same seed makes the same round, the checker sees what is planted, the reducer keeps what fails. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { Random } from '../../demo/random.ts';
import { compare, differencesOf, type Rows } from '../stranger/checker.ts';
import { Coverage, cellsOf } from '../stranger/coverage.ts';
import type { Session } from '../stranger/databases.ts';
import type { Finding } from '../stranger/finding.ts';
import { generate } from '../stranger/generate.ts';
import { commandsIn, ownersStatementsIn } from '../stranger/hints.ts';
import { OPERATIONS } from '../stranger/operations/index.ts';
import { OPEN, openEntryFor } from '../stranger/open.ts';
import { closure, FIRST_ROWS, type RoundPlan, restricted } from '../stranger/plan.ts';
import { commandOf, reduce, stepsOf } from '../stranger/reduce.ts';
import { conditionsIn, knownWarnings, lettersIn, namesTable, saidOf } from '../stranger/said.ts';
import { KeptRows } from '../stranger/kept-rows.ts';
import { makeTable } from '../stranger/tables.ts';
import { TYPES } from '../stranger/types.ts';

const SEEDS = Array.from({ length: 100 }, (_, index) => index * 7_919 + 1);
/** Findings that are known and not mended. The number only goes down. */
const OPEN_MAX = 0;
const NAMES = { postgres: 'p1', mariadb: 'm1' };

describe('a round', () => {
  it('is the same for the same seed, and another for another', () => {
    for (const seed of SEEDS.slice(0, 40)) expect(generate(seed)).toEqual(generate(seed));
    expect(new Set(SEEDS.map((seed) => JSON.stringify(generate(seed)))).size).toBe(SEEDS.length);
  });

  it('touches only tables that it has, of which each has all that it needs', () => {
    for (const seed of SEEDS) {
      const plan = generate(seed);
      const ids = new Set(plan.tables.map(({ id }) => id));
      expect(ids.size).toBe(plan.tables.length);
      for (const step of plan.steps) for (const id of step.tables) expect(ids).toContain(id);
      for (const { needs } of plan.tables) for (const need of needs) expect(ids).toContain(need);
    }
  });

  it('comes with every operation in the course of time', () => {
    const met = new Set(SEEDS.flatMap((seed) => generate(seed).steps.map(({ operation }) => operation)));
    expect(OPERATIONS.map(({ id }) => id).filter((id) => !met.has(id))).toEqual([]);
  });

  it('goes back to the rows that a restore brings back', () => {
    const model = makeTable(new Random(4), 1, 'postgres', new Set(), []);
    const random = new Random(5);
    for (let row = 0; row < 3; row += 1) model.insert(random);
    const before = structuredClone(model.rows);
    const goBack = model.mark();
    for (const change of ['insert', 'update', 'delete', 'changeKey', 'passing'] as const) model[change](random);
    expect(model.rows).not.toEqual(before);
    goBack();
    expect(model.rows).toEqual(before);
  });

  it('is smaller on request', () => {
    for (const seed of SEEDS.slice(0, 40)) {
      expect(generate(seed, 'small').tables.length).toBeLessThanOrEqual(10);
      expect(generate(seed, 'small').steps.length).toBeLessThan(generate(seed).steps.length);
    }
  });

  it('comes in all column types in the course of time', () => {
    const met = new Set(SEEDS.flatMap((seed) => generate(seed).tables.flatMap(({ features }) => features)));
    for (const { kind, id } of TYPES) expect(met).toContain(`${kind} type:${id}`);
  });
});

describe('the checker', () => {
  const [table] = generate(1).tables as [RoundPlan['tables'][number]];
  const rows = (entries: [string, (string | null)[]][]): Rows => new Map(entries);
  const columns = table.columns.filter(({ isKey }) => !isKey).map(({ name }) => name);
  const row = (first: string | null) => columns.map((_, place) => (place === 0 ? first : 'same'));

  it('sees a missing, an extra and a different row, and names the column', () => {
    const source = rows([
      ['1', row('a')],
      ['2', row('b')],
      ['3', row(null)],
    ]);
    const target = rows([
      ['1', row('a')],
      ['3', row('')],
      ['4', row('d')],
    ]);
    expect(differencesOf(table, source, target)).toEqual([
      { kind: 'missing', key: '2', columns: [] },
      { kind: 'different', key: '3', columns: [columns[0]] },
      { kind: 'extra', key: '4', columns: [] },
    ]);
    expect(differencesOf(table, source, source)).toEqual([]);
  });

  it('does not take what it could not read for equal', async () => {
    const broken: Session = {
      rows: () => Promise.reject(new Error('no such table')),
      run: async () => {},
      close: async () => {},
    };
    const compared = await compare([table], NAMES, { postgres: broken, mariadb: broken });
    expect(compared.error).toBe('no such table');
  });
});

describe('a row that went', () => {
  const rows = (...keys: string[]): Rows => new Map(keys.map((key) => [key, []]));
  const seen = (source: Rows, target: Rows) => ({ source, target, differences: [] });

  it('is told once, when the source holds it still and both held it before', () => {
    const kept = new KeptRows();
    kept.note('a', seen(rows('1', '2', '3'), rows('1', '2')));
    expect(kept.lost('a', seen(rows('1', '3'), rows()))).toEqual(['1']);
    expect(kept.lost('a', seen(rows('1', '3'), rows()))).toEqual([]);
  });

  it('is none where the source deleted it, where it was not read, and where others write into the target', () => {
    const kept = new KeptRows();
    kept.note('a', seen(rows('1'), rows('1')));
    kept.note('b', seen(rows('1'), rows('1')));
    expect(kept.lost('a', seen(rows(), rows()))).toEqual([]);
    expect(kept.lost('a', { ...seen(rows('1'), rows()), error: 'no such table' })).toEqual([]);
    kept.forget('b');
    expect(kept.lost('b', seen(rows('1'), rows()))).toEqual([]);
  });
});

describe('the reducer', () => {
  it('finds the one step and the tables that a failure needs, whatever stands beside them', async () => {
    for (const seed of SEEDS.slice(0, 30)) {
      const plan = generate(seed);
      const guilty = plan.steps.find(({ operation }) => operation !== FIRST_ROWS);
      if (guilty === undefined) throw new Error('a round without steps');
      const fails = async (smaller: RoundPlan) => smaller.steps.some(({ id }) => id === guilty.id);
      const { plan: least } = await reduce(plan, guilty.tables, fails, 200);
      expect(stepsOf(least)).toEqual([guilty.id]);
      expect(new Set(least.tables.map(({ id }) => id))).toEqual(closure(plan, guilty.tables));
    }
  });

  it('keeps to its number of trials', async () => {
    let trials = 0;
    await reduce(generate(5), ['t1'], async () => ++trials < 0, 6);
    expect(trials).toBe(6);
  });

  it('prints a command that leads back to the same plan', () => {
    const whole = generate(9);
    const [id = ''] = whole.tables.map((one) => one.id);
    const few = restricted(whole, [id], new Set(stepsOf(whole).slice(0, 3)));
    expect(commandOf(whole, whole)).toBe('npm run stranger -- --seed 9');
    expect(commandOf(generate(9, 'small'), generate(9, 'small'), undefined, 'small')).toBe(
      'npm run stranger -- --seed 9 --small',
    );
    const [, steps] = commandOf(few, whole).split('--steps ');
    if (steps !== undefined) expect(restricted(whole, [id], new Set(steps.split(',')))).toEqual(few);
  });
});

describe('the coverage', () => {
  const plan = generate(3);

  it('adds up over runs, and asks for what plans of many seeds have', async () => {
    const folder = await mkdtemp(path.join(tmpdir(), 'seam-coverage-'));
    try {
      const file = path.join(folder, 'coverage.json');
      const none = new Coverage(file).zero('whole').length;
      new Coverage(file).add(plan, plan.steps);
      const [cell = ''] = cellsOf(plan, plan.steps);
      expect(new Coverage(file).count(cell)).toBeGreaterThan(0);
      expect(new Coverage(file).zero('whole').length).toBeLessThan(none);
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  it('counts nothing on a table that Seam does not read, and chooses the seed that meets most of what is open', () => {
    expect(cellsOf(plan, [{ operation: 'insert', tables: [] }])).toEqual([]);
    const coverage = new Coverage();
    coverage.add(plan, plan.steps);
    expect(coverage.seedOf([3, 4], 'whole')).toBe(4);
  });
});

describe('what Seam says', () => {
  const [table] = generate(1).tables as [RoundPlan['tables'][number]];
  const system = NAMES[table.kind];
  const place = `${table.kind === 'postgres' ? 'app' : 'm1'}.${table.name}`;
  const said = (object: object, severity = 'halt', id = 'ANY') =>
    conditionsIn({ out: JSON.stringify({ conditions: [{ id, severity, object, text: 'wrong' }] }) });
  const hears = (...given: Parameters<typeof said>) => saidOf([table], NAMES, said(...given)).length === 1;

  it('belongs to the table that it names, and to no other', () => {
    expect(hears({ kind: 'table', system, table: place })).toBe(true);
    expect(hears({ kind: 'table', system, table: `${place}1` })).toBe(false);
    expect(hears({ kind: 'topic', stage: 'canonicalize', topic: `raw.${system}.${place}` }, 'warning')).toBe(true);
    expect(hears({ kind: 'topic', stage: 'canonicalize', topic: 'raw.p1.app.other' })).toBe(false);
  });

  it('belongs to all tables of a source, target or worker only where it stops them', () => {
    const sink = { kind: 'worker', worker: `sink-${NAMES[table.target.kind]}` };
    for (const object of [{ kind: 'source', system }, { kind: 'target', system: NAMES[table.target.kind] }, sink]) {
      expect(hears(object)).toBe(true);
      expect(hears(object, 'warning')).toBe(false);
    }
    expect(hears({ kind: 'worker', worker: `sink-${system}` })).toBe(false);
    expect(hears({ kind: 'source', system: 'p2' })).toBe(false);
  });

  it('is not about a loss, where it is a warning that stood while all was equal', () => {
    const warning = said({ kind: 'table', system, table: place }, 'warning', 'MAY_HAPPEN');
    expect(saidOf([table], NAMES, warning)).toHaveLength(1);
    expect(saidOf([table], NAMES, warning, knownWarnings(warning))).toEqual([]);
    const halt = said({ kind: 'table', system, table: place });
    expect(saidOf([table], NAMES, halt, knownWarnings(halt))).toHaveLength(1);
  });

  it('explains by dead letters only as many rows as they can have changed', () => {
    const cause = {
      entity: `${table.entity}-p1`,
      code: 'TIME_RANGE',
      reason: 'r',
      hint: null,
      ids: [],
      deadLetters: 2,
    };
    const letters = lettersIn({ out: JSON.stringify({ causes: [cause] }) });
    expect(saidOf([table], NAMES, letters, new Set(), 4)).toHaveLength(1);
    expect(saidOf([table], NAMES, letters, new Set(), 5)).toEqual([]);
  });

  it('tells people what to do: commands of Seam, and statements of an owner', () => {
    const text = `a [CODE]\n  next:  as the table's owner: ALTER TABLE app.t3 REPLICA IDENTITY DEFAULT; then: seam resnapshot --system p1 --table app.t3 --yes`;
    expect(commandsIn([{ text }])).toEqual([['resnapshot', '--system', 'p1', '--table', 'app.t3', '--yes']]);
    expect(ownersStatementsIn([{ text }])).toEqual(['ALTER TABLE app.t3 REPLICA IDENTITY DEFAULT']);
  });

  it('names a table only by its whole name', () => {
    expect(namesTable('app.t2 has no key [TABLE_KEYLESS]', 'app.t2')).toBe(true);
    expect(namesTable('app.t2 has no key [TABLE_KEYLESS]', 'app.t')).toBe(false);
  });
});

describe('open.json', () => {
  it('only shrinks', () => {
    expect(OPEN.length).toBeLessThanOrEqual(OPEN_MAX);
  });

  it('knows a finding by its kind, and by features and operations that all have to be there', () => {
    const finding: Finding = {
      kind: 'silent',
      tables: ['t1'],
      features: ['postgres shape:x'],
      operations: ['truncate'],
      text: '',
    };
    const entry = { kind: 'silent', needs: ['shape:x', 'truncate'], seed: 1, text: '' };
    expect(openEntryFor(finding, [entry])).toBe(entry);
    expect(openEntryFor(finding, [{ ...entry, needs: ['shape:x', 'insert'] }])).toBeUndefined();
    expect(openEntryFor(finding, [{ ...entry, kind: 'verify' }])).toBeUndefined();
  });
});
