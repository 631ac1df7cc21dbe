/** What bounds a worker's memory: of V8's heap by its arguments, of the rest by its environment. */

/**
 * Left to itself, V8 sizes its heap by the machine's memory and collects late: in a transaction of a million rows a sink of
 * which 50 MB were in use held 415 MB. With these bounds it collects in time, but its old space then grows by little before it
 * is collected once more, and buffers of the log and the drivers, which live a little too long for the young space, count
 * there: several times a second, for a fifth of a worker's processor time. So it may double. See docs/decisions/0011-straight-way.md
 * and the fault row F23.
 */
export const HEAP_BOUNDS: readonly string[] = [
  '--max-semi-space-size=16',
  '--heap-growing-percent=100',
  '--max-old-space-size=512',
];

/**
 * glibc keeps memory apart for each thread that ever asked for some, and what one frees no other gets: rows of 40 columns took
 * 257 to 259 MiB without this bound (MALLOC_ARENA_MAX), 231 to 235 with it, at the same speed.
 */
export const MALLOC_ARENAS = '2';

export type Environment = Readonly<Record<string, string | undefined>>;

/** What NODE_OPTIONS say of V8's spaces holds for the workers, too: an argument would win over it. */
export function heapBounds(environment: Environment): readonly string[] {
  const said = (environment.NODE_OPTIONS ?? '').replaceAll('_', '-');
  return HEAP_BOUNDS.filter((bound) => !said.includes(bound.slice(0, bound.indexOf('='))));
}

/** A worker's, from that of whoever starts it. */
export function boundedEnvironment(environment: Environment): Environment {
  return { ...environment, MALLOC_ARENA_MAX: environment.MALLOC_ARENA_MAX ?? MALLOC_ARENAS };
}
