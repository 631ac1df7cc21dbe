/**
 * Why: a value that is rounded, cut or shifted on its way is found by an auditor, years later. Every column type of both kinds
 * of database goes through real capture and real targets here, by snapshot and by stream, and is equal in the end or was
 * refused with a reason; `verify` says the same of it. Servers and databases have hostile settings: none may change a value; what is converted on purpose is declared in test/support/fidelity.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Row, UNAVAILABLE } from '../../core/change-event.ts';
import type { DialectName } from '../../core/target.ts';
import { type StackDescription, startStack, stopStack } from '../../stack/stack.ts';
import {
  changeConverterTables,
  DEFAULTS,
  readBesideGenerated,
  startConverterTables,
  toldOf,
} from '../support/fidelity/converter.ts';
import { judge, nullFaults, type Verdict } from '../support/fidelity/judge.ts';
import { runMatrix } from '../support/fidelity/matrix.ts';
import { mariadbCases } from '../support/fidelity/mariadb-cases.ts';
import { NOTES } from '../support/fidelity/notes.ts';
import { fidelityPage } from '../support/fidelity/page.ts';
import { postgresCases } from '../support/fidelity/postgres-cases.ts';
import { ODD_COLUMNS, oddRow, STACK } from '../support/fidelity/sources.ts';

const PAGE = path.join(import.meta.dirname, '..', '..', 'docs', 'reference', 'value-fidelity.md');
const CASES = [postgresCases, mariadbCases];

let stateDirectory: string;
let stack: StackDescription;
const verdicts: Record<DialectName, Verdict[]> = { postgres: [], mariadb: [] };
const nulls: string[] = [];
const oddRows: Partial<Record<DialectName, Awaited<ReturnType<typeof oddRow>>>> = {};

beforeAll(async () => {
  stateDirectory = await mkdtemp(path.join(tmpdir(), 'seam-fidelity-'));
  stack = await startStack({ stateDirectory, ...STACK, ownerPid: process.pid });
  const evidence = await runMatrix(stack, CASES);
  for (const cases of CASES) {
    verdicts[cases.dialect] = judge(cases, evidence[cases.dialect]);
    nulls.push(...nullFaults(cases, evidence[cases.dialect]));
    oddRows[cases.dialect] = await oddRow(stack, cases.dialect);
  }
}, 600_000);

afterAll(async () => {
  await stopStack({ stateDirectory, removeData: true });
  await rm(stateDirectory, { recursive: true, force: true });
}, 60_000);

describe.each(CASES)('every column type of $dialect', ({ dialect, types }) => {
  it.each(types)('$type', (type) => {
    const faults = verdicts[dialect].filter((one) => one.type === type).flatMap((one) => one.faults);
    expect(faults).toEqual([]);
  });
});

describe.each(CASES)('names that neither Avro nor Kafka takes, of $dialect', ({ dialect }) => {
  it("are the database's own in records, keys and readings", () => {
    const { key, row, read } = oddRows[dialect] ?? {};
    expect(row).toMatchObject(Object.fromEntries(ODD_COLUMNS.map((column, index) => [column, index + 1])));
    expect(key).toMatchObject({ [ODD_COLUMNS[0]]: 1 });
    expect(read).toEqual(row);
  });
});

describe.each(CASES)('$dialect', ({ dialect }) => {
  const nulls = Object.fromEntries(Object.keys(DEFAULTS[dialect]).map((column) => [column, null]));

  beforeAll(async () => {
    await startConverterTables(stack, dialect);
    // the rows of the snapshot, before anything is streamed
    await toldOf(stack, dialect, 'keyed', 2);
    await changeConverterTables(stack, dialect);
  }, 480_000);

  it('keeps NULL in a column that has a default, of every type, in every image', async () => {
    const told = await toldOf(stack, dialect, 'nulls', 7);
    expect(told.map(({ op, key }) => `${op} ${String(key.id)}`)).toEqual([
      'r 1',
      'c 11',
      'c 12',
      'u 12',
      'u 11',
      'd 11',
      'd 12',
    ]);
    expect(told.flatMap(({ hiding }) => hiding)).toEqual([]);
    for (const { op, key, before, after } of told) {
      if (after !== null && `${op} ${String(key.id)}` !== 'c 12')
        expect(after, `${op} ${String(key.id)}`).toMatchObject(nulls);
      if (before !== null && `${op} ${String(key.id)}` !== 'u 12')
        expect(before, `${op} ${String(key.id)}`).toMatchObject(nulls);
    }
    expect(Object.values(told[2]?.after ?? {})).not.toContain(null);
    expect(told.map(({ after }) => after?.touched)).toEqual([3, 3, 3, 3, 4, undefined, undefined]);
  }, 300_000);

  it('sends what the database generates', async () => {
    const told = await toldOf(stack, dialect, 'nulls', 7);
    for (const { key, after } of told) {
      if (after === null) continue;
      expect(after.g_stored).toBe(2 * Number(key.id));
      if (dialect === 'mariadb') expect(after.g_virtual).toBe(`v${String(key.id)}`);
    }
  }, 300_000);

  it('keeps NULL in a key', async () => {
    const told = await toldOf(stack, dialect, 'keyed', 4);
    expect(told.map(({ key }) => key.k)).toEqual([null, 'G', null, 'G']);
  }, 300_000);

  it('sends a value of 16 MiB with both images, and a stub for a row that no topic takes', async () => {
    const told = await toldOf(stack, dialect, 'big', 8);
    const size = (row: Row | null) => (row?.body instanceof Uint8Array ? row.body.length : row?.body);
    expect(told.map(({ op, key, before, after }) => [op, key.id, size(before), size(after)])).toEqual([
      ['c', 1, undefined, 16_777_216],
      ['c', 2, undefined, 16_777_216],
      ['u', 1, 16_777_216, 16_777_216],
      ['stub', 3, undefined, undefined],
      ['u', 3, UNAVAILABLE, 5],
      ['stub', 3, undefined, undefined],
      ['d', 3, UNAVAILABLE, undefined],
      ['c', 4, undefined, 5],
    ]);
    for (const { op, headers } of told) {
      expect(headers['seam-oversize'] !== undefined).toBe(op === 'stub');
      if (op === 'stub') expect(Number(headers['seam-oversize']?.split('/')[0])).toBeGreaterThan(40 * 1_048_576);
    }
  }, 300_000);
});

describe('generated columns that the connector leaves out', () => {
  it('move no other value to a column beside it', async () => {
    const told = await readBesideGenerated(stack);
    expect(told.map(({ op, after }) => [op, ...Object.values(after ?? {})])).toEqual([
      ['r', 1, 'a1', 'b1', 'c1'],
      ['c', 2, 'a2', 'b2', 'c2'],
      ['r', 1, 'a1', 'b1', 'c1'],
      ['r', 2, 'a2', 'b2', 'c2'],
      ['u', 1, 'a1', 'changed', 'c1'],
    ]);
  }, 300_000);
});

describe('the matrix', () => {
  it('keeps NULL as NULL', () => {
    expect(nulls).toEqual([]);
  });

  it('is the page of the documentation: after a change run this test with -u', async () => {
    await expect(fidelityPage(verdicts, NOTES)).toMatchFileSnapshot(PAGE);
  });
});
