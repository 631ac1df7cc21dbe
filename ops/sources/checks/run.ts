/** Asks every check of a source, one after another: one that cannot be carried out hides none of the others. */
import type { ConditionObject, Severity, Sighting } from '../../../core/condition.ts';
import type { CheckedSource, Finding, SourceCheck } from './check.ts';

export type Answer = {
  readonly found: readonly Sighting[];
  /** Checks that were carried out. */
  readonly asked: ReadonlySet<string>;
  /** Table → the check that found that the log does not tell all its changes. */
  readonly lossy: ReadonlyMap<string, string>;
  /** By the check's id. */
  readonly failed: ReadonlyMap<string, Failure>;
};

/** Why a check could not be carried out, and how much depends on it. */
export type Failure = { readonly error: unknown; readonly severity: Severity };

export async function runChecks(source: CheckedSource, checks: readonly SourceCheck[]): Promise<Answer> {
  const found: Sighting[] = [];
  const asked = new Set<string>();
  const lossy = new Map<string, string>();
  const failed = new Map<string, Failure>();
  for (const check of checks) {
    try {
      const findings = await check.find(source);
      asked.add(check.id);
      found.push(...findings.map((finding) => foundBy(check, source, finding)));
      for (const { table } of findings) if (check.losesChanges && table !== undefined) lossy.set(table, check.id);
      if (check.isFinal && findings.length > 0) break;
    } catch (error) {
      failed.set(check.id, { error, severity: check.severity });
    }
  }
  return { found, asked, lossy, failed };
}

function foundBy(check: SourceCheck, { system }: CheckedSource, { table, text, next }: Finding): Sighting {
  const { id, severity, healedByReading } = check;
  const object: ConditionObject = table === undefined ? { kind: 'source', system } : { kind: 'table', system, table };
  const isHealed = healedByReading === 'source' || (healedByReading === 'table' && table !== undefined);
  return { id, severity, object, text, next, ...(isHealed ? { healedBy: 'reading' } : {}) };
}
