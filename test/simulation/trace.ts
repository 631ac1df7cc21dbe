/** A row change as one line of a trace. */
import type { RowChange } from '../support/memory-database.ts';

export function changeText({ table, before, after, asked }: RowChange): string {
  const isTriggered =
    asked !== undefined && after !== undefined && JSON.stringify(asked, printed) !== JSON.stringify(after, printed);
  const made = after === undefined ? `deletes ${JSON.stringify(before, printed)}` : JSON.stringify(after, printed);
  return `${table} ${made}${isTriggered ? ' (by a trigger)' : ''}`;
}

function printed(name: string, value: unknown): unknown {
  if (['record_value', 'record_meta', 'value', 'meta', 'hash'].includes(name)) return undefined;
  if (typeof value === 'bigint') return Number(value);
  return (value as { type?: string } | null)?.type === 'Buffer' ? Buffer.from(value as never).toString('hex') : value;
}
