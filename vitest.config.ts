import { defineConfig } from 'vitest/config';

/**
 * Layers, cheapest first; `npm test` runs all but `long`, `npm run check` the first and the third. `long` is what takes more time than every
 * change can be made to wait for: `npm run test:long`.
 */
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
      ...(process.env.npm_lifecycle_event === 'test:long' ? [layer('long', 900_000, false)] : []),
    ],
  },
});
