import fc from 'fast-check';

/** Checks a property with a seed that a failure prints: `SEED=… npx vitest run <file>` runs the same values again. */
export function holds<Values>(property: fc.IProperty<Values>, runs = 300): void {
  const seed = seedOfRun();
  const result = fc.check(property, { seed, numRuns: runs });
  if (result.failed) throw new Error(`run again with SEED=${seed}\n${fc.defaultReportMessage(result)}`);
}

/** The same for a check that waits. */
export async function holdsAsync<Value>(
  values: fc.Arbitrary<Value>,
  check: (value: Value) => Promise<void>,
  runs = 60,
): Promise<void> {
  const seed = seedOfRun();
  const result = await fc.check(fc.asyncProperty(values, check), { seed, numRuns: runs });
  if (result.failed) throw new Error(`run again with SEED=${seed}\n${fc.defaultReportMessage(result)}`);
}

function seedOfRun(): number {
  return Number(process.env.SEED ?? Math.floor(Math.random() * 2 ** 31));
}
