/**
 * Why: a value that is rounded, cut or shifted on its way is found by an auditor, years later. Every column type of both kinds
 * of database goes through real capture and real targets here, by snapshot and by stream, and is equal in the end or was
 * refused with a reason; `verify` says the same of it. Servers and databases have hostile settings: none may change a value; what is converted on purpose is declared in test/support/fidelity.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { DialectName } from '../../core/target.ts';
import { type StackDescription, startStack, stopStack } from '../../stack/stack.ts';
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
const verdicts: Record<DialectName, Verdict[]> = { postgres: [], mariadb: [] };
const nulls: string[] = [];
const oddRows: Partial<Record<DialectName, Awaited<ReturnType<typeof oddRow>>>> = {};

beforeAll(async () => {
  stateDirectory = await mkdtemp(path.join(tmpdir(), 'seam-fidelity-'));
  const stack: StackDescription = await startStack({ stateDirectory, ...STACK, ownerPid: process.pid });
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

describe('the matrix', () => {
  it('keeps NULL as NULL', () => {
    expect(nulls).toEqual([]);
  });

  it('is the page of the documentation: after a change run this test with -u', async () => {
    await expect(fidelityPage(verdicts, NOTES)).toMatchFileSnapshot(PAGE);
  });
});
