import path from 'node:path';
import { defineConfig } from 'vitest/config';
import { layer } from '../../vitest.config.ts';

export default defineConfig({
  test: {
    root: path.join(import.meta.dirname, '..', '..'),
    reporters: ['default', './test/support/summary-reporter.ts'],
    projects: [layer({ name: 'long', testTimeout: 900_000, files: 1, order: 0 })],
  },
});
