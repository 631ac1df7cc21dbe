/** What the registry promises us, on a real one: ids that last, breaking schemas refused, an outage told from a refusal. */
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createCanonicalCodec } from '../../adapters/avro/canonical-codec.ts';
import { schemaIds } from '../../adapters/avro/wire.ts';
import { systemClock } from '../../adapters/clock.ts';
import { Registry } from '../../adapters/registry.ts';
import { schemaOf } from '../../avro/index.ts';
import { ConfigError, ContractError, TransientError } from '../../core/errors.ts';
import { restartService, startStack, stopService, stopStack } from '../../stack/stack.ts';

type Schema = { fields: { name: string; type: unknown; default?: unknown; doc?: string }[] };

let stateDirectory: string;
let url: string;

beforeAll(async () => {
  stateDirectory = await mkdtemp(path.join(tmpdir(), 'seam-registry-'));
  const only = ['kafka', 'registry'];
  const stack = await startStack({ stateDirectory, databases: [], only, ownerPid: process.pid });
  url = stack.registry.url;
}, 180_000);

afterAll(async () => {
  await stopStack({ stateDirectory, removeData: true });
}, 60_000);

const freshRegistry = (settings = {}) => new Registry({ url, ...settings }, systemClock);

function withField(schemaText: string, field: Schema['fields'][number]): string {
  const schema = JSON.parse(schemaText) as Schema;
  schema.fields.push({ doc: 'added by a test', ...field });
  return JSON.stringify(schema);
}

describe('registering', () => {
  it('gives the same id for the same contract, also to workers that start at once', async () => {
    for (const entity of ['price', 'sale', 'sale-line', 'member', 'invoice'] as const) {
      const workers = Array.from({ length: 4 }, () => freshRegistry());
      const ids = await Promise.all(workers.map((worker) => worker.registerCanonical(entity)));
      expect(new Set([...ids, await freshRegistry().registerCanonical(entity)]).size).toBe(1);
    }
  });

  it('takes a field that may be left out, and refuses one that must be there, from the first version on', async () => {
    const registry = freshRegistry();
    const subject = 'canonical.evolving-value';
    const first = await registry.register(subject, schemaOf('sale'));
    const added = withField(schemaOf('sale'), { name: 'channel', type: ['null', 'string'], default: null });
    expect(await registry.register(subject, added)).not.toBe(first);
    const breaking = registry.register(subject, withField(added, { name: 'must', type: 'string' }));
    await expect(breaking).rejects.toThrow(expect.objectContaining({ code: 'SCHEMA_INCOMPATIBLE' }));
    await expect(breaking).rejects.toBeInstanceOf(ContractError);
  });
});

describe('looking up', () => {
  it('hands out the schema as it was registered, so that a batch decodes without a promise per record', async () => {
    const writer = freshRegistry();
    const id = await writer.registerCanonical('market-survey');
    const survey = { week: 1, productId: '1', competitor: 'c', marketUnits: 2n ** 60n, averagePrice: '1.50' };
    const fields = { ...survey, surveyedOn: '2017-01-31' };
    const bytes = createCanonicalCodec('market-survey').encode(fields, id);

    const reader = freshRegistry();
    expect(reader.lookup(id)).toBeUndefined();
    await reader.load(schemaIds([bytes, null]));
    expect(JSON.parse(reader.lookup(id) ?? '')).toEqual(JSON.parse(schemaOf('market-survey')));
    expect({ ...createCanonicalCodec('market-survey', reader.lookup).decode(bytes) }).toEqual(fields);
  });

  it('stops where the registry never gave out the id', async () => {
    const lookUp = freshRegistry({ attemptsMax: 3, pauseMs: 10 }).writerSchema(424_242);
    await expect(lookUp).rejects.toThrow(expect.objectContaining({ code: 'UNKNOWN_SCHEMA_ID' }));
    await expect(lookUp).rejects.toBeInstanceOf(ContractError);
  });

  it('refuses a wrong address as a fault of the settings', async () => {
    const lookUp = freshRegistry({ url: url.replace('/ccompat/v7', '/nowhere') }).writerSchema(1);
    await expect(lookUp).rejects.toBeInstanceOf(ConfigError);
  });
});

describe('an outage', () => {
  it('is retried within a limit, then told with address and attempts; ids outlive it', async () => {
    const id = await freshRegistry().registerCanonical('location');
    await stopService(stateDirectory, 'registry', 'SIGKILL');
    for (const run of [
      () => freshRegistry({ attemptsMax: 3, pauseMs: 10 }).writerSchema(id),
      () => freshRegistry({ attemptsMax: 3, pauseMs: 10 }).registerCanonical('location'),
    ]) {
      const error = await run().then(
        () => undefined,
        (reason: unknown) => reason,
      );
      expect(error).toBeInstanceOf(TransientError);
      expect(error).toMatchObject({ code: 'REGISTRY_UNREACHABLE', where: url });
      expect((error as Error).message).toContain('3 attempts');
    }
    const patient = freshRegistry({ attemptsMax: 100, pauseMs: 200, pauseMsMax: 1_000 }).writerSchema(id);
    await restartService(stateDirectory, 'registry');
    expect(JSON.parse(await patient)).toEqual(JSON.parse(schemaOf('location')));
    expect(await freshRegistry().registerCanonical('location')).toBe(id);
  }, 120_000);
});
