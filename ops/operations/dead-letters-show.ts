/**
 * One dead letter with its contents, field by field. Personal fields are named and never shown; of a raw row a column shows only
 * where the mapping reads it into fields that aren't personal, since nobody has said anything of the others. Bytes never show.
 */
import { createRawDecoder } from '../../adapters/avro/raw-codec.ts';
import { schemaIds } from '../../adapters/avro/wire.ts';
import { createBatchDecoder } from '../../adapters/canonical-batch.ts';
import { systemClock } from '../../adapters/clock.ts';
import { Registry } from '../../adapters/registry.ts';
import { entities } from '../../avro/generated/entities.ts';
import { type EntityDescription, keyFields } from '../../core/canonical-record.ts';
import type { Row } from '../../core/change-event.ts';
import type { Deployment } from '../../core/deployment.ts';
import { ConfigError, RecordError, SeamError } from '../../core/errors.ts';
import type { LogRecord } from '../../core/ports.ts';
import { systemNamed } from '../systems.ts';
import { type DeadLetter, findDeadLetters, type Found, usingParked } from './dead-letters.ts';

export type ShownField = { readonly name: string; readonly value: string };
export type ShownLetter = DeadLetter & {
  readonly key: readonly ShownField[];
  readonly contents: readonly ShownField[];
  /** Why contents are not, or not wholly, shown. */
  readonly note: string | null;
  readonly waitingBehind: number;
};

export const PERSONAL = '(personal)';
export const UNMAPPED = '(not mapped, so not shown)';
const TEXT_CHARACTERS_MAX = 200;

export async function showDeadLetter(deployment: Deployment, id: string): Promise<ShownLetter> {
  const { found, unreachable } = await findDeadLetters(deployment, { ids: [id] });
  const one = found.find(({ letter }) => letter.id === id);
  if (one === undefined) throw unknown(id, unreachable[0]?.message);
  const behind = found.filter(({ keyName, letter }) => keyName === one.keyName && letter.state === 'behind');
  const shown = await contentsOf(deployment, one).catch((error: unknown) => {
    if (!(error instanceof SeamError)) throw error;
    return { key: [], contents: [], note: `the contents can't be read: ${error.message} [${error.code}]` };
  });
  return { ...one.letter, ...shown, waitingBehind: behind.length };
}

function unknown(id: string, cause: string | undefined): ConfigError {
  return new ConfigError({
    code: 'DEAD_LETTER_UNKNOWN',
    message: `nothing with id ${id} is set aside${cause === undefined ? '' : `, or its place can't be asked: ${cause}`}`,
    hint: 'it has landed or was discarded meanwhile; what is there: seam dead-letter list',
  });
}

type Shown = Pick<ShownLetter, 'key' | 'contents' | 'note'>;

async function contentsOf(deployment: Deployment, { letter, parked, staged }: Found): Promise<Shown> {
  const registry = new Registry({ url: deployment.registry.url }, systemClock);
  if (staged !== undefined) {
    const { key, value, headers } = staged.original;
    const record = { offset: staged.place.offset, key, value, headers, timestampMs: 0 };
    if (staged.place.topic.startsWith('raw.')) return rawContents(registry, letter, record);
    return canonicalContents(registry, letter, record);
  }
  if (parked === undefined) return { key: [], contents: [], note: null };
  const stored = await usingParked(deployment, letter.where.name, (records) => records.contents(parked.id));
  const headers: Record<string, Uint8Array> = stored?.meta == null ? {} : { seam: stored.meta };
  const key = Buffer.from(parked.key, 'utf8');
  return canonicalContents(registry, letter, {
    offset: parked.offset,
    key,
    value: stored?.value ?? null,
    headers,
    timestampMs: 0,
  });
}

// ---- canonical records -------------------------------------------------------------------------------------------------

async function canonicalContents(registry: Registry, letter: DeadLetter, record: LogRecord): Promise<Shown> {
  const description = (entities as Readonly<Record<string, EntityDescription>>)[letter.entity];
  if (description === undefined) return { key: [], contents: [], note: `no entity ${letter.entity} is known here` };
  const { topic, partition } = letter.place;
  const key = keyFields(description, Buffer.from(record.key ?? []).toString('utf8'));
  const shownKey = description.key.map((name) => fieldOf(description, name, key[name]));
  const decode = createBatchDecoder(registry);
  const [read] = await decode({ topic, partition, records: [record] });
  if (read === undefined || read instanceof RecordError) {
    return { key: shownKey, contents: [], note: `the contents can't be read: ${read?.message ?? 'no answer'}` };
  }
  const { value, meta } = read;
  if (value === null) return { key: shownKey, contents: [], note: 'a deletion' };
  const contents = description.fields.map(({ name }) => {
    return meta.absent.includes(name) ? { name, value: '(not carried)' } : fieldOf(description, name, value[name]);
  });
  return { key: shownKey, contents, note: null };
}

function fieldOf({ fields }: EntityDescription, name: string, value: unknown): ShownField {
  // what is not described is not known to be harmless
  const isPersonal = fields.find((field) => field.name === name)?.personal ?? true;
  return { name, value: isPersonal && value !== null ? PERSONAL : textOf(value) };
}

// ---- raw rows ------------------------------------------------------------------------------------------------------------

async function rawContents(registry: Registry, letter: DeadLetter, record: LogRecord): Promise<Shown> {
  const { key, value } = record;
  await registry.load(schemaIds([key, value]));
  const decoder = createRawDecoder(registry.lookup);
  const marks = columnMarks(letter.place.topic);
  const shownKey = key === null ? [] : shownRow(decoder.key(key), marks);
  if (value === null) return { key: shownKey, contents: [], note: 'the end of a key, behind its deletion' };
  const { op, before, after } = decoder.value(value);
  const row = after ?? before;
  const contents = row === null ? [] : shownRow(row as Row, marks);
  return { key: shownKey, contents: [{ name: 'operation', value: String(op) }, ...contents], note: null };
}

/** By column: may it be shown? Columns that nothing reads are missing. */
function columnMarks(topic: string): ReadonlyMap<string, boolean> {
  const [, system = '', ...table] = topic.split('.');
  const mapping = systemNamed(system)?.source?.mapping.tables[table.join('.')];
  const marks = new Map<string, boolean>();
  if (mapping === undefined || 'kind' in mapping) return marks;
  for (const { entity, key, fields } of mapping) {
    const described = entities[entity].fields;
    for (const [name, { columns }] of Object.entries({ ...key, ...fields })) {
      const isPersonal = described.find((field) => field.name === name)?.personal ?? true;
      for (const column of columns) marks.set(column, (marks.get(column) ?? true) && !isPersonal);
    }
  }
  return marks;
}

function shownRow(row: Row, marks: ReadonlyMap<string, boolean>): ShownField[] {
  return Object.entries(row).map(([name, value]) => {
    const mayShow = marks.get(name);
    if (mayShow === undefined) return { name, value: UNMAPPED };
    return { name, value: mayShow || value === null ? textOf(value) : PERSONAL };
  });
}

function textOf(value: unknown): string {
  if (value === null || value === undefined) return 'null';
  if (value instanceof Uint8Array) return `(${value.length} bytes)`;
  if (typeof value === 'symbol') return '(unchanged, not sent)';
  const text = Array.isArray(value) ? `(list of ${value.length})` : String(value);
  return text.length <= TEXT_CHARACTERS_MAX
    ? text
    : `${text.slice(0, TEXT_CHARACTERS_MAX)}… (${text.length} characters)`;
}
