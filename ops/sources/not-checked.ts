/**
 * A check that cannot be carried out is a condition itself. While the source does not answer, its connector reads nothing new
 * either, and what it read before was checked: this is shown, and halts nothing. A source that answers and refuses the
 * question may go on telling what nobody can check: its tables stand still.
 */
import type { Sighting } from '../../core/condition.ts';
import { SeamError } from '../../core/errors.ts';
import type { Failure } from './checks/run.ts';

export const NOT_CHECKED = 'SOURCE_NOT_CHECKED';

/** undefined: all checks were carried out. */
export function notChecked(system: string, failed: ReadonlyMap<string, Failure>): Sighting | undefined {
  const failures = [...failed];
  const refused = failures.filter(([, { error, severity }]) => severity === 'halt' && isRefused(error));
  const shown = refused.length > 0 ? refused : failures;
  const first = shown[0]?.[1].error;
  if (first === undefined) return undefined;
  const names = shown.map(([id]) => id).join(', ');
  const hint = first instanceof SeamError ? first.hint : undefined;
  return {
    id: NOT_CHECKED,
    severity: refused.length > 0 ? 'halt' : 'warning',
    object: { kind: 'source', system },
    text: `it is not known whether ${system} is read whole, ${names} could not be checked: ${reasonOf(first)}`,
    next: hint ?? `remove the cause, then look again: seam connectors status ${system}`,
  };
}

/** SQLSTATE class 42, in both kinds of database: no right to ask, or no such thing to ask about. */
function isRefused(error: unknown): boolean {
  if (error instanceof SeamError) return error.class !== 'transient';
  const { code, sqlState } = error as { code?: unknown; sqlState?: unknown };
  return String(sqlState ?? code ?? '').startsWith('42');
}

/** Of the driver: names of tables and users at most. A check's SQL holds no value of a row. */
function reasonOf(error: unknown): string {
  if (error instanceof SeamError) return `${error.message} [${error.code}]`;
  return (error instanceof Error ? error.message : String(error)).split('\n')[0]?.slice(0, 300) ?? '';
}
