/**
 * The five classes of error. The class is the decision: no code reads an error's text to decide.
 *
 * | class            | disposition                                                |
 * |------------------|------------------------------------------------------------|
 * | `TransientError` | retry with bounded back-off, then stop without committing  |
 * | `RecordError`    | set the record aside as a dead letter, go on               |
 * | `ContractError`  | stop this table or target                                  |
 * | `ConfigError`    | refuse to start, exit 2                                    |
 * | `InvariantError` | crash: our bug                                             |
 *
 * Texts are lower case without a full stop and never hold the value of a personal field.
 */
export type ErrorParts = {
  /** Stable code, listed in docs/reference/errors.md. */
  readonly code: string;
  /** What failed. */
  readonly message: string;
  /** Place: topic, partition and offset; file; URL. */
  readonly where?: string;
  /** What to do next. */
  readonly hint?: string;
  readonly cause?: unknown;
};

export type ErrorClass = 'transient' | 'record' | 'contract' | 'config' | 'invariant';

export abstract class SeamError extends Error {
  abstract readonly class: ErrorClass;
  readonly code: string;
  readonly where: string | undefined;
  readonly hint: string | undefined;

  constructor(parts: ErrorParts) {
    super(parts.message, parts.cause === undefined ? undefined : { cause: parts.cause });
    this.name = new.target.name;
    this.code = parts.code;
    this.where = parts.where;
    this.hint = parts.hint;
  }
}

export class TransientError extends SeamError {
  readonly class = 'transient';
}
export class RecordError extends SeamError {
  readonly class = 'record';
}
export class ContractError extends SeamError {
  readonly class = 'contract';
}
export class ConfigError extends SeamError {
  readonly class = 'config';
}
export class InvariantError extends SeamError {
  readonly class = 'invariant';
}

/** Exit codes of every command; `seam help exit-codes` and docs/reference/errors.md print this table. */
export const EXIT_CODES = {
  done: 0,
  failed: 1,
  usage: 2,
  different: 3,
  refused: 5,
  unreachable: 6,
  interrupted: 130,
} as const;

export function exitCodeOf(error: unknown): number {
  if (!(error instanceof SeamError)) return EXIT_CODES.failed;
  switch (error.class) {
    case 'config':
      return EXIT_CODES.usage;
    case 'transient':
      return EXIT_CODES.unreachable;
    case 'record':
    case 'contract':
    case 'invariant':
      return EXIT_CODES.failed;
  }
}

/** The three lines a person reads: what, where, what to do. */
export function formatError(error: unknown): string {
  if (!(error instanceof SeamError)) return error instanceof Error ? (error.stack ?? error.message) : String(error);
  const lines = [`${error.message} [${error.code}]`];
  if (error.where !== undefined) lines.push(`  where: ${error.where}`);
  if (error.hint !== undefined) lines.push(`  hint:  ${error.hint}`);
  return lines.join('\n');
}

export function invariant(holds: boolean, message: string): asserts holds {
  if (!holds) throw new InvariantError({ code: 'INVARIANT_BROKEN', message });
}
