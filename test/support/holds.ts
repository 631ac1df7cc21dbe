import fc from 'fast-check';

/** Checks a property with a seed that a failure prints: `SEED=… npx vitest run <file>` runs the same values again. */
export function holds<Values>(property: fc.IProperty<Values>, runs = 300): void {
  const seed = Number(process.env.SEED ?? Math.floor(Math.random() * 2 ** 31));
  const result = fc.check(property, { seed, numRuns: runs });
  if (result.failed) throw new Error(`run again with SEED=${seed}\n${fc.defaultReportMessage(result)}`);
}
