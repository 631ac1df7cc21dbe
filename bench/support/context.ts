/** What every comparison is given. */
import type { StackSettings } from '../../stack/settings.ts';
import type { Chart, ComparisonResult, Goal, Metric } from './result.ts';
import type { Rounds } from './rounds.ts';

export type BenchContext = Rounds & {
  readonly quick: boolean;
  /** Where servers and logs of this run live. */
  readonly stateDirectory: string;
  readonly settings: StackSettings;
  readonly hours: number;
  readonly profile: boolean;
  /** What was asked for on the command line, else the comparison's own number. */
  readonly recordsOr: (own: number) => number;
};

export type Measured = Pick<ComparisonResult, 'cases' | 'remarks'>;

export type Comparison = {
  readonly name: string;
  readonly title: string;
  readonly about: string;
  /** Left out of a run that names none: takes longer than a run should. */
  readonly onlyByName?: boolean;
  readonly metrics: readonly Metric[];
  readonly chart: Chart;
  readonly goals: readonly Goal[];
  run(context: BenchContext): Promise<Measured>;
};
