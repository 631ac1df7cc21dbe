import type { ChangeEvent } from '../core/change-event.ts';

/**
 * 16 hexadecimal digits, the same for one change in every run, so that a replay is recognised as what it repeats. Two plain
 * 32-bit hashes: it names a change among those one person looks at, and every record pays for it.
 */
export function traceIdOf({ system, table, position }: Pick<ChangeEvent, 'system' | 'table' | 'position'>): string {
  let left = 0x811c9dc5 ^ seedOf(system) ^ seedOf(table);
  let right = 0x9747b28c ^ left;
  for (let index = 0; index < position.length; index += 1) {
    const byte = position[index] as number;
    left = Math.imul(left ^ byte, 0x01000193);
    right = Math.imul(right ^ byte, 0x5bd1e995);
  }
  return hex(spread(left), spread(right ^ left));
}

const seeds = new Map<string, number>();

/** Of the few names of systems and tables. */
function seedOf(name: string): number {
  let seed = seeds.get(name);
  if (seed === undefined) {
    seed = name.length;
    for (let index = 0; index < name.length; index += 1) seed = Math.imul(seed ^ name.charCodeAt(index), 0x01000193);
    seeds.set(name, seed);
  }
  return seed;
}

/** Of the last byte alone few digits would tell. */
function spread(hash: number): number {
  let mixed = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return mixed ^ (mixed >>> 16);
}

/** At once: digit by digit, or half by half, there would be other texts on the way. */
function hex(left: number, right: number): string {
  return String.fromCharCode(
    digit(left >>> 28),
    digit(left >>> 24),
    digit(left >>> 20),
    digit(left >>> 16),
    digit(left >>> 12),
    digit(left >>> 8),
    digit(left >>> 4),
    digit(left),
    digit(right >>> 28),
    digit(right >>> 24),
    digit(right >>> 20),
    digit(right >>> 16),
    digit(right >>> 12),
    digit(right >>> 8),
    digit(right >>> 4),
    digit(right),
  );
}

const [ZERO, LETTER_A] = [48, 97];

/** The code of the hexadecimal digit of the lowest four bits. */
function digit(bits: number): number {
  const value = bits & 0xf;
  return value < 10 ? ZERO + value : LETTER_A + value - 10;
}
