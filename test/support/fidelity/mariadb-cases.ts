/** Every column type of MariaDB, with its edge values. */
import { numbers } from './mariadb-numbers.ts';
import { others } from './mariadb-texts.ts';
import { times } from './mariadb-times.ts';
import type { SourceCases } from './words.ts';

export const mariadbCases: SourceCases = {
  dialect: 'mariadb',
  prepare: ['CREATE DATABASE fid CHARACTER SET utf8mb4'],
  types: [...numbers, ...others, ...times],
};
