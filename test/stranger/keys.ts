/** Kinds of primary keys: their columns, and the n-th value of each. */
import type { Kind } from './plan.ts';

export type KeyKind = {
  readonly id: string;
  readonly kinds: readonly Kind[];
  readonly columns: readonly { readonly suffix: string; readonly type: string }[];
  /** SQL literals of the n-th key, by column. */
  readonly value: (n: number, kind: Kind) => readonly string[];
  /** The table has no key of its own. */
  readonly missing?: boolean;
};

const both: readonly Kind[] = ['postgres', 'mariadb'];
const integerOf = (kind: Kind) => (kind === 'postgres' ? 'integer' : 'int');
/** Values that a careless comparison takes for one: case, accents, blanks at the end. */
const ALIKE = ['abc', 'ABC', 'Abc', 'zoe', 'Zoë', 'ZOE', 'straße', 'strasse', 'abc ', 'zoe '];

export function keyKinds(kind: Kind): readonly KeyKind[] {
  const integer = integerOf(kind);
  const all: KeyKind[] = [
    { id: 'integer', kinds: both, columns: [{ suffix: 'id', type: integer }], value: (n) => [String(n)] },
    {
      id: 'bigint',
      kinds: both,
      columns: [{ suffix: 'no', type: 'bigint' }],
      value: (n) => [`${9_007_199_254_740_990n + BigInt(n)}`],
    },
    { id: 'text', kinds: both, columns: [{ suffix: 'code', type: 'varchar' }], value: (n) => [`'K-${n}'`] },
    {
      id: 'uuid',
      kinds: both,
      columns: [{ suffix: 'uid', type: 'uuid' }],
      value: (n) => [`'00000000-0000-4000-8000-${String(n).padStart(12, '0')}'`],
    },
    {
      id: 'date',
      kinds: both,
      columns: [{ suffix: 'day', type: 'date' }],
      value: (n) => [`'${new Date(Date.UTC(2024, 0, 1 + n)).toISOString().slice(0, 10)}'`],
    },
    {
      id: 'composite',
      kinds: both,
      columns: [
        { suffix: 'no', type: integer },
        { suffix: 'part', type: 'varchar' },
      ],
      value: (n) => [String(Math.floor(n / 3)), `'p${n % 3}'`],
    },
    {
      id: 'alike',
      kinds: ['postgres'],
      columns: [{ suffix: 'code', type: 'varchar' }],
      value: (n) => [`'${ALIKE[n % ALIKE.length]}${n < ALIKE.length ? '' : Math.floor(n / ALIKE.length)}'`],
    },
    {
      id: 'none',
      kinds: ['postgres'],
      columns: [{ suffix: 'nr', type: integer }],
      value: (n) => [String(n)],
      missing: true,
    },
  ];
  return all.filter(({ kinds }) => kinds.includes(kind));
}
