import type { Clock, LogAdmin, Logger } from '../../core/ports.ts';
import type { HaltedTables } from './halted-tables.ts';
import type { DecodeBatch } from './record.ts';
import type { SinkSettings } from './settings.ts';
import type { TargetTables } from './target-tables.ts';

export type WorkerOptions = {
  readonly system: string;
  readonly owner: string;
  readonly settings: SinkSettings;
  readonly decode: DecodeBatch;
  readonly admin: LogAdmin;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Entity by topic. */
  readonly entities: ReadonlyMap<string, string>;
  readonly signal: AbortSignal;
  readonly tables: TargetTables;
  readonly halted: HaltedTables;
};
