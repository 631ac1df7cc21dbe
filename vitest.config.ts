import { defineConfig } from 'vitest/config';

/** Five layers, cheapest first; `npm test` runs all, `npm run check` the first and the third. */
const layer = (name: string, testTimeout: number, parallel: boolean) => ({
  test: {
    name,
    include: [`test/${name}/**/*.test.ts`],
    testTimeout,
    hookTimeout: Math.max(testTimeout, 30_000),
    fileParallelism: parallel,
    pool: 'forks' as const,
  },
});

export default defineConfig({
  test: {
    // 2 cores and real servers: one file at a time keeps timings honest
    maxWorkers: 1,
    reporters: ['default', './test/support/summary-reporter.ts'],
    projects: [
      layer('property', 60_000, true),
      layer('simulation', 900_000, false),
      layer('contract', 240_000, false),
      layer('scenario', 900_000, false),
    ],
  },
});
