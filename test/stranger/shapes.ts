/**
 * What a legacy table may be, beside its columns: each shape is one feature with the DDL that it needs. A table draws none, one
 * or two of them, so that a finding points at few things.
 */
import type { Random } from '../../demo/random.ts';
import type { Kind } from './plan.ts';

export type Shape =
  | 'default' // a column that may be NULL and has a default
  | 'generated-stored'
  | 'generated-virtual'
  | 'unique'
  | 'unique-deferrable'
  | 'unique-long' // UNIQUE over a column without limit
  | 'identity-full'
  | 'identity-index' // what a delete tells is another unique column than the key
  | 'identity-nothing'
  | 'partitioned'
  | 'versioned'
  | 'trigger'
  | 'child' // a foreign key that changes or deletes rows with the parent's
  | 'child-null'
  | 'shared-entity'
  | 'accepts'
  | 'ignored-at-first'
  | 'added-later'
  | 'odd-table'
  | 'odd-column'
  | 'odd-key'
  | 'odd-target'
  | 'no-grant';

type Choice = { readonly shape: Shape; readonly kinds: readonly Kind[]; readonly weight: number };

const both: readonly Kind[] = ['postgres', 'mariadb'];
const CHOICES: readonly Choice[] = [
  { shape: 'default', kinds: both, weight: 3 },
  { shape: 'generated-stored', kinds: both, weight: 2 },
  { shape: 'generated-virtual', kinds: both, weight: 2 },
  { shape: 'unique', kinds: both, weight: 2 },
  { shape: 'unique-deferrable', kinds: ['postgres'], weight: 2 },
  { shape: 'unique-long', kinds: ['mariadb'], weight: 2 },
  { shape: 'identity-full', kinds: ['postgres'], weight: 1 },
  { shape: 'identity-index', kinds: ['postgres'], weight: 2 },
  { shape: 'identity-nothing', kinds: ['postgres'], weight: 1 },
  { shape: 'partitioned', kinds: both, weight: 3 },
  { shape: 'versioned', kinds: ['mariadb'], weight: 2 },
  { shape: 'trigger', kinds: both, weight: 2 },
  { shape: 'child', kinds: both, weight: 3 },
  { shape: 'child-null', kinds: both, weight: 2 },
  { shape: 'shared-entity', kinds: both, weight: 3 },
  { shape: 'accepts', kinds: both, weight: 2 },
  { shape: 'ignored-at-first', kinds: both, weight: 2 },
  { shape: 'added-later', kinds: both, weight: 2 },
  { shape: 'odd-table', kinds: both, weight: 2 },
  { shape: 'odd-column', kinds: both, weight: 2 },
  { shape: 'odd-key', kinds: both, weight: 3 },
  { shape: 'odd-target', kinds: both, weight: 2 },
  { shape: 'no-grant', kinds: both, weight: 1 },
];

/** Each of these may stop the whole of its source at the start: one in a source is enough. */
const ALONE: ReadonlySet<Shape> = new Set(['unique-long', 'versioned', 'added-later', 'odd-table', 'no-grant']);
/** These need each other's place. */
const EXCLUSIVE: readonly (readonly Shape[])[] = [
  ['identity-full', 'identity-index', 'identity-nothing', 'partitioned', 'child', 'child-null'],
  ['unique', 'unique-deferrable', 'unique-long', 'identity-index', 'partitioned'],
  ['odd-table', 'odd-column', 'odd-key'],
  ['ignored-at-first', 'added-later', 'shared-entity', 'child', 'child-null', 'no-grant'],
  ['partitioned', 'versioned', 'trigger'],
  ['odd-key', 'identity-index', 'child', 'child-null', 'partitioned'],
];

export const SHAPES: readonly Shape[] = CHOICES.map(({ shape }) => shape);

/** `used` is kept for a source through a round. */
export function pickShapes(random: Random, kind: Kind, used: Set<Shape>): Shape[] {
  const picked: Shape[] = [];
  const wanted = random.below(10) < 3 ? 0 : 1 + random.below(2);
  for (let turn = 0; turn < wanted; turn += 1) {
    const open = CHOICES.filter(
      ({ shape, kinds }) =>
        kinds.includes(kind) &&
        !(ALONE.has(shape) && [...used].some((one) => ALONE.has(one))) &&
        !picked.some((other) => excludes(other, shape)),
    );
    const shape = weighted(random, open).shape;
    picked.push(shape);
    used.add(shape);
  }
  return picked;
}

function excludes(left: Shape, right: Shape): boolean {
  return left === right || EXCLUSIVE.some((group) => group.includes(left) && group.includes(right));
}

export function weighted<T extends { readonly weight: number }>(random: Random, choices: readonly T[]): T {
  let rest = random.below(choices.reduce((sum, { weight }) => sum + weight, 0));
  for (const choice of choices) {
    if (rest < choice.weight) return choice;
    rest -= choice.weight;
  }
  throw new Error('nothing to choose from');
}
