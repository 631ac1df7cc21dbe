import type { Type } from 'avsc';

/** avsc's cursor, which its typings leave out, over the bytes that it reads or writes: past the end it goes on, and is found to be invalid later. */
export type Tap = {
  readonly buf: Buffer;
  pos: number;
  readLong(): number;
  readString(): string;
  writeLong(value: number): void;
};

/** What avsc asks of its types, below their public methods. */
export type Internals<T = unknown> = Type & {
  _read(tap: Tap): T | undefined;
  _skip(tap: Tap): void;
  _write(tap: Tap, value: unknown): void;
};
