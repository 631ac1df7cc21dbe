/** Invariant 8, values survive: what is written as Avro reads back equal, for every entity and every allowed value. */
import avro from 'avsc';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createCanonicalCodec } from '../../adapters/avro/canonical-codec.ts';
import { compileCanonical } from '../../adapters/avro/canonical-types.ts';
import { createMetaCodec } from '../../adapters/avro/meta-codec.ts';
import { rememberingString } from '../../adapters/avro/text.ts';
import { schemaIdOf } from '../../adapters/avro/wire.ts';
import { entities } from '../../avro/generated/entities.ts';
import type { EntityName } from '../../avro/generated/records.ts';
import { recordMetaSchema, schemaOf } from '../../avro/index.ts';
import type { CanonicalFields } from '../../core/canonical-record.ts';
import { RecordError } from '../../core/errors.ts';
import { anyDecimal, canonicalFields, recordMeta } from '../support/canonical-values.ts';
import { holds } from '../support/holds.ts';

const SCHEMA_ID = 4_000_000_001;
const names = Object.keys(entities) as EntityName[];
const codecOf = (entity: EntityName) => createCanonicalCodec(entity, () => schemaOf(entity));

/** Buffers and typed arrays with the same bytes are the same value here. */
function comparable(fields: object): object {
  return Object.fromEntries(
    Object.entries(fields).map(([name, value]) => [
      name,
      value instanceof Uint8Array ? `bytes ${Buffer.from(value).toString('hex')}` : value,
    ]),
  );
}

function errorOf(run: () => unknown): RecordError {
  try {
    run();
  } catch (error) {
    if (error instanceof RecordError) return error;
    throw error;
  }
  throw new Error('nothing was refused');
}

const sale: CanonicalFields = {
  saleId: '1',
  locationId: '330',
  memberId: null,
  soldAt: 1n,
  total: '1.00',
  tender: null,
};

describe('canonical codec', () => {
  it.each(names)('%s reads back equal', (entity) => {
    const codec = codecOf(entity);
    holds(
      fc.property(canonicalFields(entities[entity]), (fields) => {
        const bytes = codec.encode(fields, SCHEMA_ID);
        expect(schemaIdOf(bytes)).toBe(SCHEMA_ID);
        expect(comparable(codec.decode(bytes))).toEqual(comparable(fields));
      }),
      200,
    );
  });

  it('keeps every record of a batch apart, also those larger than its buffer', () => {
    const codec = codecOf('product');
    const lengths = fc.array(fc.constantFrom(0, 10, 5_000, 200_000, 300_000), { minLength: 1, maxLength: 12 });
    const generated = fc.tuple(canonicalFields(entities.product), lengths);
    holds(
      fc.property(generated, ([fields, sizes]) => {
        const products = sizes.map((size, index) => ({ ...fields, specification: String(index % 10).repeat(size) }));
        const encoded = products.map((product) => codec.encode(product, 1));
        expect(encoded.map((bytes) => comparable(codec.decode(bytes)))).toEqual(products.map(comparable));
      }),
      20,
    );
  });

  it.each<[string, string, CanonicalFields]>([
    ['a rounded decimal', 'total', { ...sale, total: '1.005' }],
    ['a decimal without its digits', 'total', { ...sale, total: '1' }],
    ['a number for a decimal', 'total', { ...sale, total: 1 }],
    ['a decimal beyond its precision', 'total', { ...sale, total: '12345678901.00' }],
    ['null where a value must be', 'locationId', { ...sale, locationId: null }],
    ['a number for 64 bits', 'soldAt', { ...sale, soldAt: 1 }],
    ['more than 64 bits', 'soldAt', { ...sale, soldAt: 2n ** 63n }],
    ['half a character', 'tender', { ...sale, tender: '\ud83c' }],
  ])('refuses %s and names the field', (_, field, fields) => {
    const error = errorOf(() => codecOf('sale').encode(fields, 1));
    expect(error.code).toBe('AVRO_ENCODE_FAILED');
    expect(error.message).toContain(`"${field}"`);
  });

  it.each(['2023-02-29', '2023-2-01', '0000-01-01', '10000-01-01', 'infinity', ''])('refuses the day %j', (day) => {
    const member = { memberId: '1', fullName: 'n', email: null, birthDate: day, tier: 'BASE', status: 'ACTIVE' };
    const fields = { ...member, pointsBalance: 0n, joinedOn: null, reference: null };
    expect(errorOf(() => codecOf('member').encode(fields, 1)).message).toContain('"birthDate"');
  });

  it('never shows a value in an error, nor in its cause', () => {
    const secret = 'Ada Lovelace 1815';
    const member = {
      memberId: '1',
      fullName: secret,
      email: secret,
      birthDate: secret,
      tier: secret,
      status: 'ACTIVE',
    };
    const error = errorOf(() => codecOf('member').encode({ ...member, pointsBalance: 0n, joinedOn: null }, 1));
    expect(error.cause).toBeUndefined();
    expect([error.message, error.where, error.hint, error.stack].join()).not.toContain(secret);
  });

  it('refuses damaged bytes, and nothing worse happens', () => {
    const codec = codecOf('sale');
    const whole = Buffer.from(codec.encode(sale, 1));
    holds(
      fc.property(fc.nat({ max: whole.length - 1 }), fc.integer({ min: 0, max: 255 }), (index, byte) => {
        expect(errorOf(() => codec.decode(whole.subarray(0, index))).code).toBe('AVRO_DECODE_FAILED');
        const damaged = Buffer.from(whole);
        damaged[index] = byte;
        decodeOrRefuse(() => codec.decode(damaged));
      }),
    );
  });
});

function decodeOrRefuse(run: () => unknown): void {
  try {
    run();
  } catch (error) {
    expect(error).toBeInstanceOf(RecordError);
  }
}

describe('texts one after another', () => {
  /** Characters of some are the bytes of others: text that was read as Latin-1 once, and its correction. */
  const mistaken = (text: string) => Buffer.from(text, 'utf8').toString('latin1');
  const right = fc.constantFrom('é', 'ä', '€', 'Müller', 'Ã', '🎂', 'a', '');
  const texts = fc.array(
    fc.oneof(
      right,
      right.map(mistaken),
      right.map((text) => mistaken(mistaken(text))),
      fc.string({ unit: 'binary', maxLength: 70 }),
    ),
    { minLength: 2, maxLength: 12 },
  );
  const wire = avro.Type.forSchema('string');

  it('are each read as they are, whatever came before', () => {
    holds(
      fc.property(texts, (all) => {
        const type = rememberingString();
        expect(all.map((text) => type.fromBuffer(wire.toBuffer(text)))).toEqual(all.map((text) => text.toWellFormed()));
      }),
      1_000,
    );
  });
});

describe('metadata codec', () => {
  const codec = createMetaCodec();

  it('reads back equal', () => {
    holds(
      fc.property(recordMeta(), (meta) => {
        expect(comparable(codec.decode(codec.encode(meta)))).toEqual(comparable(meta));
      }),
    );
  });

  it('reads back its source table where it has one, and writes byte by byte as before where it has none', () => {
    holds(
      fc.property(recordMeta(), fc.string({ minLength: 1 }), (meta, table) => {
        const bytes = Buffer.from(codec.encode({ ...meta, table }));
        expect(comparable(codec.decode(bytes))).toEqual(comparable({ ...meta, table }));
        expect([bytes[0], codec.encode(meta)[0]]).toEqual([2, 1]);
        expect(() => codec.decode(bytes.subarray(0, -1))).toThrow();
      }),
    );
  });

  /** As the schema alone says; undefined: not at all. */
  const type = compileCanonical(recordMetaSchema());
  const asWritten = (bytes: Buffer): object | undefined => {
    try {
      const { value, offset } = type.decode(bytes, 1) as { value: object; offset: number };
      return bytes[0] === 1 && offset === bytes.length ? comparable(value) : undefined;
    } catch {
      return undefined;
    }
  };

  it('reads what the schema says, also of damaged bytes and of names that are not ASCII', () => {
    const names = fc.oneof(fc.constantFrom('pos', 'é', 'Ã©', 'x'.repeat(63), 'x'.repeat(64)), fc.string());
    const damage = fc.option(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })));
    holds(
      fc.property(recordMeta(), names, names, damage, (meta, system, traceId, damaged) => {
        const bytes = Buffer.from(codec.encode({ ...meta, system, traceId }));
        if (damaged !== null) bytes[damaged[0] % bytes.length] = damaged[1];
        const expected = asWritten(bytes);
        if (expected === undefined) {
          expect(errorOf(() => codec.decode(bytes)).code).toBe('META_DECODE_FAILED');
          return;
        }
        const { commitTimeUs: commitTime, ...read } = codec.decode(bytes);
        expect(comparable({ ...read, commitTime })).toEqual(expected);
      }),
      2_000,
    );
  });

  it('refuses damaged bytes, and nothing worse happens', () => {
    holds(
      fc.property(recordMeta(), fc.nat(), fc.integer({ min: 0, max: 255 }), (meta, place, byte) => {
        const damaged = Buffer.from(codec.encode(meta));
        damaged[place % damaged.length] = byte;
        decodeOrRefuse(() => codec.decode(damaged));
        const short = damaged.subarray(0, place % damaged.length);
        const long = Buffer.concat([codec.encode(meta), Buffer.alloc(1)]);
        for (const one of [short, long]) expect(errorOf(() => codec.decode(one)).code).toBe('META_DECODE_FAILED');
      }),
    );
  });
});

describe('damaged counts', () => {
  it('are refused before memory is filled with items that are not there', () => {
    const codec = createMetaCodec();
    const whole = codec.encode({
      ...{ system: 'pos', position: new Uint8Array(20), operation: 'c', commitTimeUs: 1n },
      ...{ hops: 0, traceId: '0123456789abcdef', absent: [] },
    });
    const trillion = Buffer.from([0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01]);
    const damaged = Buffer.concat([whole.subarray(0, -1), trillion]);
    const startMs = performance.now();
    expect(errorOf(() => codec.decode(damaged)).code).toBe('META_DECODE_FAILED');
    expect(performance.now() - startMs).toBeLessThan(250);
  });
});

describe('schema evolution', () => {
  const older = schemaOf('sale');
  const changed = (edit: (schema: { fields: { name: string; type: unknown }[] }) => void): string => {
    const schema = JSON.parse(older) as { fields: { name: string; type: unknown }[] };
    edit(schema);
    return JSON.stringify(schema);
  };
  const withChannel = changed((schema) =>
    schema.fields.splice(1, 0, { name: 'channel', type: ['null', 'string'], default: null } as never),
  );
  const decimals = fc.tuple(canonicalFields(entities.sale), anyDecimal(12, 2));

  it('reads records written before a nullable field was added', () => {
    const writer = createCanonicalCodec('sale');
    const reader = createCanonicalCodec('sale', () => older, withChannel);
    holds(
      fc.property(decimals, ([fields, total]) => {
        const bytes = writer.encode({ ...fields, total }, 1);
        expect(comparable(reader.decode(bytes))).toEqual(comparable({ ...fields, total, channel: null }));
      }),
    );
  });

  it('reads records written after a nullable field was added', () => {
    const writer = createCanonicalCodec('sale', undefined, withChannel);
    const reader = createCanonicalCodec('sale', () => withChannel);
    expect(comparable(reader.decode(writer.encode({ ...sale, channel: 'web' }, 2)))).toEqual(comparable(sale));
  });

  it.each([
    ['another scale', 'total', { type: 'bytes', logicalType: 'decimal', precision: 12, scale: 3 }],
    ['another unit of time', 'soldAt', { type: 'long', logicalType: 'timestamp-millis' }],
    ['a narrower integer', 'soldAt', 'int'],
  ])('refuses %s, which Avro would read as another value', (_, name, type) => {
    const writer = changed((schema) => {
      for (const field of schema.fields) if (field.name === name) field.type = type;
    });
    const reader = createCanonicalCodec('sale', () => writer);
    const bytes = createCanonicalCodec('sale').encode(sale, 3);
    expect(() => reader.decode(bytes)).toThrow(expect.objectContaining({ code: 'SCHEMA_INCOMPATIBLE' }));
  });

  it('crashes where a schema was not loaded before its records', () => {
    const bytes = createCanonicalCodec('sale').encode(sale, 3);
    expect(() => createCanonicalCodec('sale').decode(bytes)).toThrow(
      expect.objectContaining({ code: 'SCHEMA_NOT_LOADED' }),
    );
  });
});
