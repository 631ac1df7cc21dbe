import { defineConfig } from 'vitest/config';

/**
 * Layers, cheapest first; `npm test` runs all, `npm run check` the first two. What takes more time than every change can be made to wait for is
 * test/long: `npm run test:long`.
 */
type Layer = { readonly name: string; readonly testTimeout: number; readonly files: number; readonly order: number };

/** `files`: how many run at the same time, on 2 cores. Layers come one after the other. */
export const layer = ({ name, testTimeout, files, order }: Layer) => ({
  test: {
    name,
    include: [`test/${name}/**/*.test.ts`],
    testTimeout,
    hookTimeout: Math.max(testTimeout, 30_000),
    fileParallelism: files > 1,
    maxWorkers: files,
    sequence: { groupOrder: order },
    pool: 'forks' as const,
  },
});

export default defineConfig({
  test: {
    reporters: ['default', './test/support/summary-reporter.ts'],
    projects: [
      layer({ name: 'property', testTimeout: 60_000, files: 2, order: 0 }),
      // mostly waits for servers
      layer({ name: 'contract', testTimeout: 240_000, files: 2, order: 1 }),
      layer({ name: 'simulation', testTimeout: 900_000, files: 2, order: 2 }),
      layer({ name: 'scenario', testTimeout: 900_000, files: 1, order: 3 }),
    ],
  },
});
