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
  return hexOf(left) + hexOf(right ^ left);
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

/** Spread first: the last byte alone would show in few digits. */
function hexOf(hash: number): string {
  let mixed = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  mixed ^= mixed >>> 16;
  // at once: digit by digit it would be seven texts on the way
  return String.fromCharCode(
    digit(mixed >>> 28),
    digit(mixed >>> 24),
    digit(mixed >>> 20),
    digit(mixed >>> 16),
    digit(mixed >>> 12),
    digit(mixed >>> 8),
    digit(mixed >>> 4),
    digit(mixed),
  );
}

const [ZERO, LETTER_A] = [48, 97];

/** The code of the hexadecimal digit of the lowest four bits. */
function digit(bits: number): number {
  const value = bits & 0xf;
  return value < 10 ? ZERO + value : LETTER_A + value - 10;
}
