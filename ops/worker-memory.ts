/** What bounds a worker's memory: of V8's heap by its arguments, of the rest by its environment. */

/**
 * Left to itself, V8 sizes its heap by the machine's memory and collects late: in a transaction of a million rows a sink of
 * which 50 MB were in use held 415 MB, with these bounds 232 MB, in the same time (the fault row F23). A young space of half
 * the size saves 25 MB and costs a sink 8 % more processor time (docs/decisions/0011-straight-way.md).
 */
export const HEAP_BOUNDS: readonly string[] = ['--max-semi-space-size=32', '--max-old-space-size=512'];

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
