/** A raw record that the converter replaced by a stub, since no topic takes it: its key is set aside, all others flow. */
import { RecordError } from '../core/errors.ts';
import type { LogRecord } from '../core/ports.ts';
import { OVERSIZE_HEADER, OVERSIZE_KEY_HEADER } from '../core/record-limits.ts';
import type { CompiledTable } from './compile-mapping.ts';

const WIRE_MAGIC = 0;

/** Two bytes decide for nearly all records, since a stub is not Avro. undefined: the record is not a stub. */
export function oversizeOf({ system, table }: CompiledTable, record: LogRecord): RecordError | undefined {
  const { key, value } = record;
  if (value?.[0] === WIRE_MAGIC && (key === null || key[0] === WIRE_MAGIC)) return undefined;
  const ofValue = sizes(record.headers[OVERSIZE_HEADER]);
  const found = ofValue ?? sizes(record.headers[OVERSIZE_KEY_HEADER]);
  if (found === undefined) return undefined;
  const what = ofValue === undefined ? 'the key of a row' : 'a row';
  return new RecordError({
    code: 'RECORD_OVERSIZE',
    message: `${what} has ${found.bytes} bytes, and at most ${found.bytesMax} can be sent`,
    where: `${system} ${table}`,
    hint: `make the row smaller in the source, or leave its large column out (column.exclude.list in connectors/${system}/connector.json); its records: seam dead-letter list --code RECORD_OVERSIZE`,
  });
}

function sizes(header: Uint8Array | undefined): { bytes: string; bytesMax: string } | undefined {
  if (header === undefined) return undefined;
  const [, bytes, bytesMax] = /^(\d+)\/(\d+)$/.exec(Buffer.from(header).toString('latin1')) ?? [];
  return bytes === undefined || bytesMax === undefined ? undefined : { bytes, bytesMax };
}
