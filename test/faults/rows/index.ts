import type { Row } from '../row.ts';
import { feedRows } from './feeds.ts';
import { networkRows } from './network.ts';
import { schemaRows } from './schemas.ts';
import { serverRows } from './servers.ts';
import { sourceRows } from './sources.ts';
import { targetRows } from './targets.ts';
import { workerRows } from './workers.ts';

const numberOf = (row: Row) => Number(row.id.slice(1));

export const rows: readonly Row[] = [
  ...workerRows,
  ...serverRows,
  ...feedRows,
  ...networkRows,
  ...targetRows,
  ...schemaRows,
  ...sourceRows,
].sort((left, right) => numberOf(left) - numberOf(right));
