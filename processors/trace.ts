import { hash } from 'node:crypto';
import type { ChangeEvent } from '../core/change-event.ts';

const TRACE_DIGITS = 16;

/** The same for one change in every run, so that a replay is recognised as what it repeats. */
export function traceIdOf({ system, table, position }: ChangeEvent): string {
  const place = Buffer.from(position.buffer, position.byteOffset, position.byteLength).toString('latin1');
  return hash('sha1', `${system}\n${table}\n${place}`, 'hex').slice(0, TRACE_DIGITS);
}
