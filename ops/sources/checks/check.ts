/**
 * The contract of a check: one question to a source that must be answered with "no" before its tables count as read whole. A check is one
 * file in the folder of its kind of database, with its SQL, its verdict, its text and its next command.
 *
 * `connectors apply` refuses on findings that halt; `connectors status` shows all; the watch asks all the time and halts what
 * is found. So `find` must be cheap (catalogue queries, no scan of tables), must change nothing, and must answer the same
 * when asked twice. It throws only when it cannot be carried out; the watch makes a condition of that after 60 s.
 */
import type { ConnectorConfig } from '../../../adapters/connect-client.ts';
import type { Severity } from '../../../core/condition.ts';
import type { SourceMapping } from '../../../core/mapping.ts';
import type { SourceSession } from '../../resnapshot/source-session.ts';

export type SourceCheck = {
  /** Stable code of the condition: `TABLE_NOT_PUBLISHED`. */
  readonly id: string;
  readonly severity: Severity;
  /** After a finding the later checks of the list are not asked: on another server they say nothing about this source. */
  readonly isFinal?: true;
  /** While it finds something, the log does not tell all changes: the table must be read again after it is repaired. */
  readonly losesChanges?: true;
  /** A whole reading heals what it finds in a table, or, with `source`, in any of the source's tables. Seam does that by itself. */
  readonly healedByReading?: 'table' | 'source';
  /** `connectors apply` goes on in spite of it: what heals it needs the connector as it is about to be. */
  readonly passesApply?: true;
  find(source: CheckedSource): Promise<readonly Finding[]>;
};

/** What one check found; without a table it concerns the whole source. */
export type Finding = {
  /** `<schema>.<name>` as the mapping spells it. */
  readonly table?: string;
  readonly text: string;
  readonly next: string;
};

export type CheckedSource = {
  readonly system: string;
  /** As the capture user, opened for this look alone: it sees the settings that a new session gets. */
  readonly session: SourceSession;
  /** As Kafka Connect has it, or as it is about to be applied. */
  readonly config: ConnectorConfig;
  /** What the connector read last; undefined: nothing was read yet. */
  readonly offset: Readonly<Record<string, unknown>> | undefined;
  readonly mapping: SourceMapping;
  /** Mapped tables, `<schema>.<name>`; ignored ones are left out. */
  readonly tables: readonly string[];
};

/** What a kind of database says about its sources: one folder, with all its SQL. */
export type SourceKind = {
  /** Which server answers: another one than last time is never read on. */
  identityOf(session: SourceSession): Promise<string>;
  /** No statement of this session may run longer. */
  limitStatements(session: SourceSession, limitMs: number): Promise<void>;
  /** A lock of this name that ends with the session, if not before. */
  readonly locks: SourceLocks;
  /** All tables as `place` (schema or database) and `name` (`<place>.<table>`), for a user who sees them all. */
  readonly tablesSql: string;
  /** In the order in which they are asked. */
  readonly checks: readonly SourceCheck[];
  /** By table: the check that found that the log does not tell all changes of it. */
  noteLosses?(source: CheckedSource, lossy: ReadonlyMap<string, string>): Promise<void>;
  /** These tables are about to be read whole; a reading that goes on where another one was interrupted is resumed. */
  readingBegun(source: ReadSource, isResumed: boolean): Promise<unknown>;
  /** They were, and what they no longer have was deleted: what was lost before that reading began counts no longer. */
  readingDone(source: ReadSource, begun: unknown): Promise<void>;
};

/** By name, for all sessions of one database. They guard nothing in the database itself. */
export type SourceLocks = {
  /** false: another session has it. */
  take(session: SourceSession, name: string): Promise<boolean>;
  isHeld(session: SourceSession, name: string): Promise<boolean>;
  free(session: SourceSession, name: string): Promise<void>;
  /** Ends the session that has it. */
  endHolder(session: SourceSession, name: string): Promise<void>;
};

/** `tables`: those that are read. */
export type ReadSource = Pick<CheckedSource, 'session' | 'tables' | 'config'>;
