/** The canonicalize stage with real mappings and codecs, fed with envelopes from memory instead of Debezium's bytes. */
import { createCanonicalCodec } from '../../adapters/avro/canonical-codec.ts';
import { createMetaCodec } from '../../adapters/avro/meta-codec.ts';
import { entities } from '../../avro/generated/entities.ts';
import type { EntityName } from '../../avro/generated/records.ts';
import { schemaOf } from '../../avro/index.ts';
import type { CanonicalFields, RecordMeta } from '../../core/canonical-record.ts';
import type { Row } from '../../core/change-event.ts';
import type { DebeziumSource, Envelope } from '../../core/debezium.ts';
import type { SourceMapping } from '../../core/mapping.ts';
import type { LogRecord } from '../../core/ports.ts';
import type { Position } from '../../core/position.ts';
import { type CanonicalizeParts, canonicalizeStage } from '../../processors/canonicalize.ts';
import { type Codecs, META_HEADER } from '../../processors/codecs.ts';
import { type CompiledField, type CompiledTable, compileSource } from '../../processors/compile-mapping.ts';
import { keyIdOf } from '../../processors/dead-letter.ts';
import { ledgerKey, type LedgerEntry } from '../../processors/echo.ts';
import { ParkedKeys } from '../../processors/parked-keys.ts';
import { workSlice } from '../../processors/slice-work.ts';
import type { Transformed } from '../../processors/stage.ts';
import type { RawColumn } from '../../processors/table-schema.ts';
import { rawTopic } from '../../processors/topics.ts';

export type Given = {
  readonly op: string;
  readonly before?: Row | null;
  readonly after?: Row | null;
  readonly key?: Row;
  readonly tagged?: boolean;
  readonly snapshot?: boolean;
  /** The converter sent a stub in place of the value or of the key. */
  readonly stub?: Readonly<Record<string, string>>;
};

/** Made of real bytes, read back. */
export type Written = {
  readonly entity: string;
  readonly key: string;
  readonly value: CanonicalFields | null;
  readonly meta: RecordMeta;
  readonly partition: number | undefined;
};

const SCHEMA_ID = 7;
export const PARTITIONS = 3;

export type BenchOptions = {
  readonly bidirectional?: CanonicalizeParts['bidirectional'];
  readonly ledger?: ReadonlyMap<string, LedgerEntry>;
  readonly identities?: ReadonlyMap<string, string>;
  readonly hidden?: readonly string[];
  readonly saidAgain?: CanonicalizeParts['saidAgain'];
  readonly mangled?: ReadonlyMap<string, string>;
  /** Records before this offset lack the table's columns. */
  readonly renamedBefore?: number;
  readonly readAgainAt?: Position;
  /** What the registry says whose schema it is. */
  readonly schemaTopic?: string;
};

export class CanonicalizeBench {
  readonly #given = new Map<string, { envelope: Envelope; key: Row | null }>();
  readonly #mapping: SourceMapping;
  readonly #options: BenchOptions;
  /** What the databases were asked. */
  readonly asked: string[] = [];
  readonly #meta = createMetaCodec();

  constructor(mapping: SourceMapping, options: BenchOptions = {}) {
    this.#mapping = mapping;
    this.#options = options;
  }

  /** One slice; offsets go on from `from`, and so do positions. */
  async run(table: string, given: readonly Given[], from = 0): Promise<Transformed & { readonly written: Written[] }> {
    const records = given.map((one, index) => this.#record(table, one, from + index));
    const transformed = await this.#stage().transform({
      topic: rawTopic(this.#mapping.system, table),
      partition: 0,
      records,
    });
    return { ...transformed, written: transformed.outputs.map((output) => this.#read(output)) };
  }

  /** Records of one raw key, one slice each, where corrected rows heal by themselves. */
  async heal(table: string, key: Row, given: readonly Given[]): Promise<{ written: Written[]; setAside: string[] }> {
    const parked = new ParkedKeys();
    const written: Written[] = [];
    const keyBytes = Buffer.from(`${table} key`);
    this.#given.set(keyBytes.toString(), { envelope: {} as Envelope, key });
    const settings = { laterRecords: 'heal', parkedRecordsMax: 100 } as const;
    const topic = rawTopic(this.#mapping.system, table);
    for (const [offset, one] of given.entries()) {
      const records = [{ ...this.#record(table, { ...one, key }, offset), key: keyBytes }];
      const done = await workSlice(
        { stage: this.#stage(), parked, settings, nowMs: 0 },
        { topic, partition: 0, records },
      );
      parked.apply(done.changes);
      written.push(
        ...done.outputs.filter((output) => output.topic.startsWith('canonical.')).map((one) => this.#read(one)),
      );
    }
    const setAside = parked.ofKey(topic, keyIdOf(keyBytes)).map(({ place, state }) => `${place.offset} ${state}`);
    return { written, setAside };
  }

  /** What a `delete` on the redrive lane becomes. */
  sweep(value: string): Written {
    const request = { offset: 0n, key: null, value: Buffer.from(value), headers: {}, timestampMs: 0 };
    return this.#read(this.#stage().sweep?.(request) as Transformed['outputs'][number]);
  }

  #stage() {
    const { system } = this.#mapping;
    const tables = new Map(
      [...compileSource(this.#mapping, entities)].map(([table, compiled]) => [rawTopic(system, table), compiled]),
    );
    return canonicalizeStage({
      groupId: 'test',
      tables,
      topics: [...tables.keys()],
      codecs: this.#codecs(),
      ledger: {
        lookup: async (_system, requests) => {
          for (const { entity, key } of requests) this.asked.push(ledgerKey(entity, key));
          return this.#options.ledger ?? new Map();
        },
      },
      identities: { canonicalIds: async () => this.#options.identities ?? new Map() },
      bidirectional: this.#options.bidirectional ?? new Map(),
      partitionCount: () => PARTITIONS,
      epochs: {},
      hopsMax: 5,
      saidAgain: this.#options.saidAgain,
      readAgainAt: () => this.#options.readAgainAt,
    });
  }

  #record(table: string, given: Given, offset: number): LogRecord {
    const { op, before = null, after = null, key, tagged, snapshot, stub } = given;
    const source: DebeziumSource = {
      connector: 'postgresql',
      ts_ms: BigInt(1_000 + offset),
      snapshot: snapshot ? 'true' : 'false',
      sequence: `["${offset}","${offset}"]`,
      origin: tagged ? 'seam_x_1' : null,
    };
    const name = `${table} ${offset}`;
    this.#given.set(name, { envelope: { op, before, after, source }, key: key ?? null });
    const bytes = Buffer.from(name);
    const headers = Object.fromEntries(Object.entries(stub ?? {}).map(([name, text]) => [name, Buffer.from(text)]));
    return { offset: BigInt(offset), key: bytes, value: bytes, headers, timestampMs: 0 };
  }

  #isRenamed(bytes: Uint8Array): boolean {
    return Number(Buffer.from(bytes).toString().split(' ')[1]) < (this.#options.renamedBefore ?? 0);
  }

  #codecs(): Codecs {
    const of = (entity: string) => createCanonicalCodec(entity as EntityName, () => schemaOf(entity as EntityName));
    const given = (bytes: Uint8Array) => this.#given.get(Buffer.from(bytes).toString());
    return {
      loadSchemas: async () => {},
      rawValue: (bytes) => given(bytes)?.envelope as Envelope,
      rawKey: (bytes) => given(bytes)?.key ?? {},
      valueColumns: (bytes) =>
        this.#isRenamed(bytes) ? [] : namedColumns(this.#tableOf(bytes).entities.flatMap(({ fields }) => fields)),
      keyColumns: (bytes) => namedColumns(this.#tableOf(bytes).entities.flatMap(({ key }) => key)),
      schemaTopic: () => this.#options.schemaTopic,
      nullHidingColumns: () => this.#options.hidden ?? [],
      mangledColumns: () => this.#options.mangled ?? new Map(),
      output: ({ entity, topic }, key, value, about) => ({
        ...{ topic, key, value: value === null ? null : of(entity).encode(value, SCHEMA_ID) },
        headers: { [META_HEADER]: this.#meta.encode(about) },
      }),
      decode: (entity, bytes) => of(entity).decode(bytes),
      decodeMeta: (bytes) => this.#meta.decode(bytes),
    };
  }

  /** Its name is the first word of made-up bytes. */
  #tableOf(bytes: Uint8Array): CompiledTable {
    const [name = ''] = Buffer.from(bytes).toString().split(' ');
    return compileSource(this.#mapping, entities).get(name) as CompiledTable;
  }

  #read({ topic, key, value, headers, partition }: Transformed['outputs'][number]): Written {
    const entity = topic.slice('canonical.'.length);
    return {
      entity,
      key: key as string,
      value: value === null ? null : this.#codecs().decode(entity, value),
      meta: this.#meta.decode(headers.seam as Uint8Array),
      partition,
    };
  }
}

function namedColumns(fields: readonly CompiledField[]): RawColumn[] {
  return [...new Set(fields.flatMap(({ columns }) => columns))].map((name) => ({ name, type: 'any', kind: undefined }));
}
