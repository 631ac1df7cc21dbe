import type { DialectName } from '../../core/target.ts';

export type ReadConnection = {
  readonly kind: DialectName;
  readonly host: string;
  readonly port: number;
  readonly database: string;
  readonly user: string;
  readonly password: string;
};

export const CHUNK_ROWS = 5_000;
