/** The page for an operator at night names codes that exist, and every reason to read a source again is on it. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { sourceKinds } from '../../ops/sources/checks/index.ts';

const read = (file: string) => readFileSync(join(import.meta.dirname, '..', '..', 'docs', file), 'utf8');
const known = new Set([...read('reference/errors.md').matchAll(/^\| `([A-Z_]+)`/gm)].map((match) => match[1]));
const headed = read('halts.md')
  .split('\n')
  .filter((line) => line.startsWith('## '))
  .flatMap((line) => [...line.matchAll(/\b[A-Z]+(?:_[A-Z]+)+\b/g)].map((match) => match[0]));

describe('docs/halts.md', () => {
  it('names codes that exist', () => {
    expect(headed.length).toBeGreaterThan(5);
    expect(headed.filter((code) => !known.has(code))).toEqual([]);
  });

  it('has every condition that halts a source or a table', () => {
    const halting = Object.values(sourceKinds).flatMap(({ checks }) =>
      checks.filter(({ severity }) => severity === 'halt'),
    );
    expect(halting.map(({ id }) => id).filter((id) => !headed.includes(id))).toEqual([]);
  });

  it.each([
    ['SOURCE_LOG_LOST', 'SOURCE_WENT_BACK', 'SOURCE_REPLACED'],
    ['SCHEMA_CHANGED', 'KEY_CHANGED', 'SCHEMA_ID_MOVED'],
    ['LOG_TRUNCATED', 'LOG_SHORTENED', 'UNKNOWN_SCHEMA_ID'],
  ])('has %s, %s, %s', (...codes) => {
    expect(codes.filter((code) => !headed.includes(code))).toEqual([]);
  });
});
