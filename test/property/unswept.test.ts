/** Deletions that a reading left undone stay said, and never twice. */
import { expect, it } from 'vitest';
import type { Sighting } from '../../core/condition.ts';
import { withUnswept } from '../../ops/resnapshot/unswept.ts';

const withheld = {
  code: 'SWEEP_UNCONFIRMED',
  message: 'the source lacks 5 of 6 keys',
  hint: 'seam resnapshot --delete 5',
};
const loss: Sighting = {
  id: 'TABLE_REPLACED',
  severity: 'halt',
  object: { kind: 'table', system: 'pos', table: 'pos.a' },
  text: 'swapped',
  next: 'seam resnapshot',
  healedBy: 'reading',
};

it('are a warning of their table, with the command', () => {
  expect(withUnswept([], 'pos', { 'pos.a': withheld })).toMatchObject([
    { id: 'SWEEP_UNCONFIRMED', severity: 'warning', object: { table: 'pos.a' }, next: withheld.hint },
  ]);
});

it('name the command of the table where none was given', () => {
  const [one] = withUnswept([], 'pos', { 'pos.a': { code: 'SWEEP_NOT_READ', message: 'not read' } });
  expect(one?.next).toBe('seam resnapshot --system pos --table pos.a --yes');
});

it('are not said beside a loss of the table that says them already', () => {
  expect(withUnswept([loss], 'pos', { 'pos.a': withheld, 'pos.b': withheld })).toMatchObject([
    { id: 'TABLE_REPLACED' },
    { id: 'SWEEP_UNCONFIRMED', object: { table: 'pos.b' } },
  ]);
});
