/** Every column type of PostgreSQL, with its edge values. */
import { numbers } from './postgres-numbers.ts';
import { others } from './postgres-texts.ts';
import { times } from './postgres-times.ts';
import type { SourceCases } from './words.ts';

export const postgresCases: SourceCases = {
  dialect: 'postgres',
  prepare: [
    'CREATE EXTENSION citext',
    'CREATE EXTENSION ltree',
    'CREATE EXTENSION hstore',
    'CREATE SCHEMA fid',
    `CREATE TYPE fid.mood AS ENUM ('happy 🎉', 'a,b')`,
    'CREATE DOMAIN fid.code AS varchar(8)',
    'CREATE DOMAIN fid.amount AS numeric(12,2)',
    'CREATE TYPE fid.pair AS (a integer, b text)',
  ],
  types: [...numbers, ...times, ...others],
};
