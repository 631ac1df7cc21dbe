/** Change events as Debezium's MariaDB connector writes them, for tests that need no database. */
import avro from 'avsc';
import type { Schema } from 'avsc';
import { bigintLong } from '../../adapters/avro/long.ts';
import { writeWireHeader } from '../../adapters/avro/wire.ts';

export type RawTable = {
  readonly topic: string;
  readonly columns: readonly { readonly name: string; readonly type: unknown }[];
  /** Of the columns, those that the record's key is made of. */
  readonly key?: readonly string[];
};
export type RawEvent = { readonly op: string; readonly before?: object | null; readonly after?: object | null };

export class RawWriter {
  readonly schema: string;
  readonly keySchema: string;
  readonly #type: avro.Type;
  readonly #keyType: avro.Type;
  #position = 4n;

  constructor({ topic, columns, key = [] }: RawTable) {
    const value = { type: 'record', name: 'Value', fields: columns };
    const text = ['null', 'string'];
    const source = {
      type: 'record',
      name: 'Source',
      namespace: 'io.debezium.connector.mariadb',
      fields: [
        { name: 'connector', type: 'string' },
        { name: 'snapshot', type: text },
        { name: 'ts_ms', type: 'long' },
        { name: 'gtid', type: text },
        { name: 'server_id', type: 'long' },
        { name: 'file', type: text },
        { name: 'pos', type: 'long' },
        { name: 'row', type: 'int' },
      ],
    };
    const fields = [
      { name: 'before', type: ['null', value] },
      { name: 'after', type: ['null', 'Value'] },
      { name: 'source', type: source },
      { name: 'op', type: 'string' },
      { name: 'ts_ms', type: ['null', 'long'] },
    ];
    const envelope = { type: 'record', name: 'Envelope', namespace: topic, fields };
    this.schema = JSON.stringify(envelope);
    this.#type = typeOf(this.schema);
    const keyFields = columns.filter(({ name }) => key.includes(name));
    this.keySchema = JSON.stringify({ type: 'record', name: 'Key', namespace: topic, fields: keyFields });
    this.#keyType = typeOf(this.keySchema);
  }

  /** The key of the record about this row. */
  writeKey(schemaId: number, row: object): Buffer {
    return framed(schemaId, this.#keyType.toBuffer(row));
  }

  write(schemaId: number, { op, before = null, after = null }: RawEvent): Buffer {
    this.#position += 100n;
    const source = {
      ...{ connector: 'mariadb', snapshot: 'false', ts_ms: 1_700_000_000_000n, gtid: null, server_id: 1n },
      ...{ file: 'binlog.000001', pos: this.#position, row: 0 },
    };
    return framed(schemaId, this.#type.toBuffer({ before, after, source, op, ts_ms: null }));
  }
}

function typeOf(schema: string): avro.Type {
  return avro.Type.forSchema(JSON.parse(schema) as Schema, {
    wrapUnions: 'never',
    typeHook: ((part: unknown) =>
      part === 'long' || (part as { type?: string }).type === 'long' ? bigintLong : undefined) as never,
  });
}

function framed(schemaId: number, body: Buffer): Buffer {
  const bytes = Buffer.alloc(5 + body.length);
  writeWireHeader(bytes, 0, schemaId);
  body.copy(bytes, 5);
  return bytes;
}
