/** A B C, A B C, …: whatever else the machine does meets all of them alike. */
import type { CaseResult, ContestantResult, Figures, Role } from './result.ts';
import type { TimeShare } from './time-shares.ts';

export type Contestant = {
  readonly name: string;
  readonly role: Role;
  readonly settings?: Readonly<Record<string, string>>;
  readonly note?: string;
  /** From the same state of the target each time; throws when the outcome is wrong: a fast wrong answer counts for nothing. */
  round(): Promise<Figures>;
  /** One more round, with the profiler on: it costs time, so that its figures count for nothing. */
  profiled?(): Promise<readonly TimeShare[]>;
};

export type Rounds = {
  readonly rounds: number;
  /** Rounds before the first that counts: compilers and caches get warm. */
  readonly warmUps: number;
  readonly withProfiles: boolean;
  readonly say: (line: string) => void;
  readonly signal: AbortSignal;
};

export async function alternate(
  name: string,
  about: string,
  contestants: readonly Contestant[],
  { rounds, warmUps, withProfiles, say, signal }: Rounds,
): Promise<CaseResult> {
  const measured = contestants.map(() => [] as Figures[]);
  const failures = new Map<Contestant, string>();
  const profiles = new Map<Contestant, readonly TimeShare[]>();
  for (let round = 1 - warmUps; round <= rounds; round += 1) {
    for (const [index, contestant] of contestants.entries()) {
      signal.throwIfAborted();
      if (failures.has(contestant)) continue;
      try {
        const figures = await contestant.round();
        if (round > 0) measured[index]?.push(figures);
        say(
          `${name} ${round > 0 ? `round ${round}/${rounds}` : 'warm-up'} ${contestant.name}: ${figuresText(figures)}`,
        );
      } catch (error) {
        signal.throwIfAborted();
        failures.set(contestant, reasonOf(error));
        say(`${name} ${contestant.name} failed: ${reasonOf(error)}`);
      }
    }
  }
  for (const contestant of withProfiles ? contestants : []) {
    signal.throwIfAborted();
    if (failures.has(contestant) || contestant.profiled === undefined) continue;
    try {
      profiles.set(contestant, await contestant.profiled());
    } catch (error) {
      signal.throwIfAborted();
      // what was measured before it counts all the same
      say(`${name} ${contestant.name} has no profile: ${reasonOf(error)}`);
    }
  }
  const results = contestants.map((one, index) =>
    resultOf(one, measured[index] ?? [], { profile: profiles.get(one), failure: failures.get(one) }),
  );
  return { name, about, contestants: results };
}

type Beside = { readonly profile: readonly TimeShare[] | undefined; readonly failure: string | undefined };

function resultOf(one: Contestant, rounds: Figures[], { profile, failure }: Beside): ContestantResult {
  return {
    name: one.name,
    role: one.role,
    settings: one.settings ?? {},
    ...(one.note === undefined ? {} : { note: one.note }),
    rounds,
    ...(profile === undefined ? {} : { profile }),
    ...(failure === undefined ? {} : { failure }),
  };
}

export function reasonOf(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split('\n').slice(0, 2).join(' / ').slice(0, 400);
}

function figuresText(figures: Figures): string {
  return Object.entries(figures)
    .map(([name, value]) => `${name} ${value >= 100 ? Math.round(value) : Math.round(value * 100) / 100}`)
    .join(', ');
}
