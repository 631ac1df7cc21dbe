/** A worker's memory is bounded, unless the operator has said otherwise: of the heap Node itself is asked. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { boundedEnvironment, heapBounds } from '../../ops/worker-memory.ts';

const MB = 1024 ** 2;

/** MB that V8's heap may have. */
async function limitWith(nodeOptions: string): Promise<number> {
  const program = "process.stdout.write(String(require('node:v8').getHeapStatistics().heap_size_limit))";
  const { stdout } = await promisify(execFile)(
    process.execPath,
    [...heapBounds({ NODE_OPTIONS: nodeOptions }), '--eval', program],
    {
      env: { NODE_OPTIONS: nodeOptions },
    },
  );
  return Number(stdout) / MB;
}

test('by itself: 512 MB of old objects, three spaces of 16 MB for new ones', async () => {
  expect(await limitWith('')).toBeCloseTo(512 + 3 * 16, -1);
});

test.each(['--max-old-space-size=1000', '--max_old_space_size=1000'])('%s in NODE_OPTIONS wins', async (option) => {
  expect(await limitWith(option)).toBeCloseTo(1_000 + 3 * 16, -1);
});

test('the C library keeps memory for two threads, or for as many as the environment says', () => {
  expect(boundedEnvironment({ HOME: '/seam' })).toEqual({ HOME: '/seam', MALLOC_ARENA_MAX: '2' });
  expect(boundedEnvironment({ MALLOC_ARENA_MAX: '8' })).toEqual({ MALLOC_ARENA_MAX: '8' });
});
