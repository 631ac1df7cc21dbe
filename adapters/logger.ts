import { pino } from 'pino';
import type { Logger } from '../core/ports.ts';

export type LogLevel = 'error' | 'warn' | 'info' | 'debug';

/** One JSON line for each entry, to stderr: stdout belongs to what a command prints. */
export function createLogger(level: LogLevel, fields: Readonly<Record<string, string>> = {}): Logger {
  return pino({ level, base: fields, timestamp: pino.stdTimeFunctions.isoTime }, pino.destination(2));
}
