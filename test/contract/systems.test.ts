/** Every system in its folders is whole. Adding a system adds no test code. */
import { describe, expect, it } from 'vitest';
import { createCanonicalCodec } from '../../adapters/avro/canonical-codec.ts';
import { entities } from '../../avro/generated/entities.ts';
import type { EntityName } from '../../avro/generated/records.ts';
import { systems } from '../../connectors/index.ts';
import type { CanonicalMapping } from '../../core/mapping.ts';
import type { Target, TargetTable } from '../../core/target.ts';
import { steps } from '../../processors/steps/index.ts';
import { ownedStores, targets } from '../../sinks/index.ts';
import { coverageOf, KINDS_OF_CASES } from '../support/case-coverage.ts';
import type { JsonRecord, SourceCaseFile } from '../support/case-files.ts';
import { canonicalOf, casesIn, foldersIn, readText } from '../support/case-files.ts';
import { tablesOf } from '../support/legacy-schema.ts';
import { runnableStepFiles, runnableTargetFiles } from '../support/run-cases.ts';
import { runnableSourceFiles } from '../support/run-source-cases.ts';

type Connector = { name: string; config: Record<string, string> };

const connectorOf = (system: string) => JSON.parse(readText(`connectors/${system}/connector.json`)) as Connector;
const capturedTables = (system: string) => (connectorOf(system).config['table.include.list'] ?? '').split(',').sort();
const schemaTables = (system: string) =>
  tablesOf(
    readText(isOwned(system) ? `sinks/targets/${system}/schema.sql` : `connectors/${system}/schema.sql`),
    system,
  );
const isOwned = (system: string) => ownedStores.some((store) => store.system === system);
const namesOf = (things: readonly { readonly system: string }[]) => things.map((thing) => thing.system).sort();
const withoutComments = (sql: string) => sql.replaceAll(/^--(?!;;).*$/gm, '');

describe('indexes', () => {
  it('list every folder, once', () => {
    expect(foldersIn('connectors').sort()).toEqual(namesOf(systems));
    expect(foldersIn('sinks/targets').sort()).toEqual(namesOf(targets));
    expect(
      runnableStepFiles()
        .map((file) => file.title)
        .sort(),
    ).toEqual(steps.map((step) => `step ${step.name}`).sort());
  });

  it('give every target the SQL of its database in one place', () => {
    expect([...namesOf(systems), ...namesOf(ownedStores)].sort()).toEqual(namesOf(targets));
  });

  it('give every entity one writer, except the shared ones', () => {
    const writers = new Map<string, Set<string>>();
    const note = (entity: string, writer: string) =>
      writers.set(entity, (writers.get(entity) ?? new Set()).add(writer));
    for (const { system, mapping } of systems) {
      for (const declared of Object.values(mapping.tables)) {
        if (!('kind' in declared)) for (const { entity } of declared) note(entity, system);
      }
    }
    for (const step of steps) for (const entity of step.to) note(entity, step.name);
    for (const [entity, { owner }] of Object.entries(entities)) {
      if (owner === 'shared') expect(writers.get(entity)?.size, entity).toBeGreaterThan(1);
      else expect([...(writers.get(entity) ?? [])], entity).toEqual([owner]);
    }
  });
});

describe.each(systems)('source $system', ({ system, database, mapping }) => {
  const { name, config } = connectorOf(system);
  const setup = withoutComments(readText(`connectors/${system}/setup.sql`));
  const teardown = withoutComments(readText(`connectors/${system}/teardown.sql`));
  const mappings = Object.entries(mapping.tables).flatMap(([table, declared]) =>
    'kind' in declared ? [] : declared.map((one): [string, CanonicalMapping] => [table, one]),
  );

  it('captures exactly the tables that it maps or ignores with a reason', () => {
    expect(mapping.system).toBe(system);
    expect(Object.keys(mapping.tables).sort()).toEqual(capturedTables(system));
  });

  it('reads columns that are there', () => {
    const tables = schemaTables(system);
    for (const [table, { key, fields }] of mappings) {
      const read = [...Object.values(key), ...Object.values(fields)].flatMap((field) => field.columns);
      expect(tables.get(table), table).toEqual(expect.arrayContaining(read));
    }
  });

  it('has a connector that fails loudly and holds no secret', () => {
    expect(name).toBe(`seam-${system}`);
    expect(config['topic.prefix']).toBe(`raw.${system}`);
    for (const setting of ['hostname', 'port', 'user', 'password']) {
      expect(config[`database.${setting}`]).toBe(`\${dir:/run/seam/secrets/${system}:${setting}}`);
    }
    for (const [setting, value] of Object.entries(config)) {
      if (/password|secret|credential|jaas|token/i.test(setting)) expect(value, setting).toMatch(/^\$\{dir:[^}]+\}$/);
    }
    expect(config['event.processing.failure.handling.mode']).toBe('fail');
    expect(config['errors.tolerance']).toBe('none');
    expect(config['skipped.operations']).toBe('none');
    if (database === 'postgres') expect(config['offset.mismatch.strategy']).toBe('trust_offset');
  });

  it('lets the capture user read the captured tables, what Seam wrote, and nothing else', () => {
    const granted = [...setup.matchAll(/GRANT SELECT ON ([^;]+?) TO '?seam_cdc/g)];
    const tables = granted.flatMap(([, list = '']) => list.split(',').map((table) => table.trim()));
    expect(tables.sort()).toEqual([...capturedTables(system), 'seam.applied', 'seam.echo', 'seam.identity'].sort());
    if (database !== 'postgres') return;
    const published = /SET TABLE ([^;]+);/
      .exec(setup)?.[1]
      ?.split(',')
      .map((table) => table.trim());
    expect(published?.sort()).toEqual([...capturedTables(system), 'seam.heartbeat', 'seam.signal'].sort());
  });

  it('takes back everything that it asked for', () => {
    for (const [, user = ''] of setup.matchAll(/CREATE (?:ROLE|USER IF NOT EXISTS) '?(\w+)/g))
      expect(teardown).toContain(user);
    for (const [, publication = ''] of setup.matchAll(/CREATE PUBLICATION (\w+)/g)) {
      expect(teardown).toContain(`DROP PUBLICATION IF EXISTS ${publication}`);
      expect(teardown).toContain(`slot_name = '${config['slot.name']}'`);
    }
    for (const [, table = ''] of setup.matchAll(/ALTER TABLE ([\w.]+) REPLICA IDENTITY FULL/g)) {
      expect(teardown).toContain(`ALTER TABLE ${table} REPLICA IDENTITY DEFAULT`);
    }
    expect(teardown).toMatch(/DROP (SCHEMA|DATABASE) IF EXISTS seam/);
    expect(setup).not.toMatch(/ALTER TABLE [\w.]+ (?!REPLICA IDENTITY)/);
  });

  it('has cases of every kind for every table that it maps, or says why not', () => {
    const files = casesIn<SourceCaseFile>(`connectors/${system}`);
    const mapped = new Set(mappings.map(([table]) => table));
    expect(files.map(({ file }) => file.table).sort()).toEqual([...mapped].sort());
    const tables = schemaTables(system);
    for (const { file } of files) {
      expect(Object.keys(file.row), file.table).toEqual(tables.get(file.table));
      const missing = KINDS_OF_CASES.filter(
        (kind) => !coverageOf(file).has(kind) && file.notSupported?.[kind] === undefined,
      );
      expect(missing, file.table).toEqual([]);
    }
  });
});

it('gives every MariaDB connector a server id of its own', () => {
  const ids = systems
    .map(({ system }) => connectorOf(system).config['database.server.id'])
    .filter((id) => id !== undefined);
  expect(new Set(ids).size).toBe(ids.length);
});

describe.each(targets)('target $system', (target: Target) => {
  const tables = schemaTables(target.system);
  const setup = withoutComments(
    readText(
      isOwned(target.system) ? `sinks/targets/${target.system}/setup.sql` : `connectors/${target.system}/setup.sql`,
    ),
  );

  it.each(
    target.tables,
  )('writes columns of $table that are there, from fields of $entity that are there', (table: TargetTable) => {
    const columns = { ...table.key, ...table.columns, ...table.onInsert };
    const set = typeof table.onDelete === 'object' ? Object.keys(table.onDelete.set) : [];
    expect(tables.get(table.table)).toEqual(expect.arrayContaining([...Object.keys(columns), ...set]));
    const fields = entities[table.entity].fields.map((field) => field.name);
    expect(fields).toEqual(expect.arrayContaining(Object.values(columns).flatMap((column) => column.fields)));
    for (const effect of table.effects) {
      expect(tables.get(effect.table)).toEqual(expect.arrayContaining([...Object.keys(effect.key), effect.column]));
      expect(fields).toContain(effect.amount);
    }
  });

  it('may write every table that it declares', () => {
    if (isOwned(target.system)) return expect(setup).toContain(`ALL TABLES IN SCHEMA ${target.system}`);
    const granted = [...setup.matchAll(/GRANT ([^;]+?) ON ([^;]+?) TO '?seam_sink/g)]
      .map(([, , list = '']) => list)
      .join(',');
    const written = target.tables.flatMap((table) => [table.table, ...table.effects.map((effect) => effect.table)]);
    for (const table of written) expect(granted.split(/[\s,]+/)).toContain(table);
  });

  it('has cases for every table, one of them refused or not held', () => {
    const files = runnableTargetFiles().filter((file) => file.title.startsWith(`target ${target.system},`));
    expect(files.length).toBe(target.tables.length);
    for (const { title, file } of files) {
      const refused = file.cases.some((one) => JSON.stringify(one.then).includes('"rejected"'));
      expect(refused, title).toBe(true);
    }
  });
});

describe.each(ownedStores)('store $system', ({ system }) => {
  const sql = readText(`sinks/targets/${system}/schema.sql`);

  it('holds every field of every fact, and says what each is', () => {
    const facts = Object.keys(entities).filter((entity) => !entity.endsWith('-request'));
    const target = targets.find((candidate) => candidate.system === system);
    expect(target?.tables.map((table) => table.entity as string).sort()).toEqual(facts.sort());
    for (const [table, columns] of schemaTables(system)) {
      const declared = target?.tables.find((candidate) => candidate.table === table);
      expect(Object.keys({ ...declared?.key, ...declared?.columns }).sort(), table).toEqual([...columns].sort());
      expect(sql).toContain(`COMMENT ON TABLE ${table} IS`);
      for (const column of columns) expect(sql).toContain(`COMMENT ON COLUMN ${table}.${column} IS`);
    }
  });
});

describe.each([...runnableSourceFiles(), ...runnableStepFiles(), ...runnableTargetFiles()])('$title', ({
  file,
  run,
}) => {
  it.each(file.cases.map((one, index) => ({ ...one, index })))('$it', ({ then, index }) => {
    expect(run(index)).toEqual(then);
    for (const { entity, value } of recordsIn(then)) {
      createCanonicalCodec(entity).encode(canonicalOf(entity, value), 1);
    }
  });
});

/** Canonical records among the outcomes of a case. */
function recordsIn(then: unknown): { entity: EntityName; value: JsonRecord }[] {
  if (!Array.isArray(then)) return [];
  return then.filter((outcome) => outcome.value !== undefined && outcome.value !== null);
}
