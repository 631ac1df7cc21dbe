/** The frame of every dialect contract: the same tests for each kind of database in `sinks/dialects/index.ts`, on real ones. */
import { afterAll, beforeAll, beforeEach, describe, type TestContext } from 'vitest';
import type { CanonicalRecord } from '../../core/canonical-record.ts';
import type { DialectName, TargetTable } from '../../core/target.ts';
import { dialects } from '../../sinks/dialects/index.ts';
import { startDatabases, type TestDatabase, type TestDatabases } from './databases.ts';
import { resetShop } from './shop-tables.ts';
import { type BenchOptions, SinkBench } from './sink-bench.ts';
import type { TestLog } from './test-log.ts';

type Row = Record<string, unknown>;

export class DialectSuite {
  readonly name: DialectName;
  readonly #benches: SinkBench[] = [];
  #database: TestDatabase | undefined;

  constructor(name: DialectName) {
    this.name = name;
  }

  get database(): TestDatabase {
    if (this.#database === undefined) throw new Error('no database yet');
    return this.#database;
  }

  async begin(databases: TestDatabases): Promise<void> {
    this.#database = databases.all.find(({ dialect }) => dialect === this.name);
    await resetShop(this.database);
  }

  async end(): Promise<void> {
    for (const bench of this.#benches.splice(0)) await bench.stop();
  }

  /** A running sink on the shop's tables; stopped after the test. */
  async start(tables: readonly TargetTable[], options: BenchOptions = {}, log?: TestLog): Promise<SinkBench> {
    const bench = new SinkBench(this.database, tables, options, log);
    this.#benches.push(bench);
    return bench.start();
  }

  async write(bench: SinkBench, ...records: readonly CanonicalRecord[]): Promise<void> {
    bench.log.append(...records);
    await bench.settled();
  }

  rows(sql: string): Promise<Row[]> {
    return this.database.rows(sql);
  }

  async count(table: string): Promise<number> {
    const [row] = await this.rows(`SELECT COUNT(*) AS n FROM ${table}`);
    return Number(row?.n);
  }

  async execute(...statements: readonly string[]): Promise<void> {
    await this.database.execute(statements.join(this.name === 'mariadb' ? '\n--;;\n' : ';\n'));
  }
}

export function describeDialects(define: (suite: DialectSuite) => void): void {
  let databases: TestDatabases;
  beforeAll(async () => {
    databases = await startDatabases();
  }, 240_000);
  afterAll(async () => {
    await databases?.stop();
  }, 60_000);
  for (const name of Object.keys(dialects) as DialectName[]) {
    describe(`dialect ${name}`, () => {
      const suite = new DialectSuite(name);
      beforeEach(async () => {
        await suite.begin(databases);
        return () => suite.end();
      });
      define(suite);
    });
  }
}

/** A feature that this kind of database lacks: said, never left out silently. */
export function notSupported(context: TestContext, reason: string): void {
  context.skip(`not supported: ${reason}`);
}
