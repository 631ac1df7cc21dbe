/** Around a reading of whole tables: once it is done, what was lost before it began is no condition any longer. */
import type { Deployment } from '../../core/deployment.ts';
import type { SourceSession } from '../resnapshot/source-session.ts';
import { sourceKinds } from './checks/index.ts';
import { rememberedOf } from './look.ts';

export type Reading = {
  readonly session: SourceSession;
  readonly system: string;
  readonly tables: readonly string[];
  /** It goes on where an earlier one was interrupted. */
  readonly isResumed: boolean;
};

/** Called before the first row is read. The answer is called with the tables of which all rows were read, and deletions followed. */
export async function beginReading(
  deployment: Deployment,
  reading: Reading,
): Promise<(whole: readonly string[]) => Promise<void>> {
  const { session, system, tables, isResumed } = reading;
  const config = (await rememberedOf(deployment, system))?.config ?? {};
  const kind = sourceKinds[session.kind];
  const source = { session, tables, config };
  const begun = await kind.readingBegun(source, isResumed);
  return (whole) => kind.readingDone({ ...source, tables: whole }, begun);
}
