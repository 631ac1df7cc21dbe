/**
 * Writes avro/generated/ from avro/*.avsc. `--check` writes nothing and exits 3 when a generated file is stale.
 * Run it with: npm run generate
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { AvroField, AvroLogicalType, AvroRecord } from './schema-text.ts';

const EXIT_STALE = 3;
const NOTICE = '// Generated from avro/*.avsc by avro/generate.ts: run `npm run generate`. Never edited by hand.';

type Entity = { readonly name: string; readonly record: AvroRecord };
/** A field's type without its null, and what it is in TypeScript and in an EntityDescription. */
type Described = { readonly typeScript: string; readonly kind: string };

export function generate(): ReadonlyMap<string, string> {
  const loaded = readEntities();
  return new Map([
    ['generated/records.ts', recordsText(loaded)],
    ['generated/entities.ts', entitiesText(loaded)],
  ]);
}

/** Generated files whose contents on disk differ from what the schemas say. */
export function staleFiles(): string[] {
  return [...generate()].filter(([path, text]) => readOrEmpty(path) !== text).map(([path]) => `avro/${path}`);
}

function readEntities(): Entity[] {
  return readdirSync(new URL('.', import.meta.url))
    .filter((file) => file.endsWith('.avsc') && file !== 'record-meta.avsc')
    .map((file) => file.slice(0, -'.avsc'.length))
    .sort()
    .map((name) => ({ name, record: JSON.parse(readOrEmpty(`${name}.avsc`)) as AvroRecord }));
}

function readOrEmpty(path: string): string {
  try {
    return readFileSync(new URL(path, import.meta.url), 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return '';
    throw error;
  }
}

function recordsText(loaded: readonly Entity[]): string {
  const blocks = loaded.map(({ record }) => [...enumBlocks(record), recordBlock(record)].join('\n'));
  const types = loaded.map(({ name, record }) => `  readonly '${name}': ${record.name};`);
  const keys = loaded.map(({ name, record }) => `  readonly '${name}': ${union(record.key)};`);
  return `${[
    NOTICE,
    ...blocks,
    `/** Every entity's record, by the name of the entity. */\nexport type CanonicalTypes = {\n${types.join('\n')}\n};`,
    `/** The key fields of every entity. */\nexport type CanonicalKeys = {\n${keys.join('\n')}\n};`,
    'export type EntityName = keyof CanonicalTypes;',
    'export type KeyName<E extends EntityName> = CanonicalKeys[E] & keyof CanonicalTypes[E];',
  ].join('\n\n')}\n`;
}

function enumBlocks(record: AvroRecord): string[] {
  return record.fields
    .map((field) => avroType(field))
    .filter((type) => type.type === 'enum')
    .map((type) => `${comment(type.doc, '')}export type ${type.name} = ${union(type.symbols ?? [])};`);
}

function recordBlock(record: AvroRecord): string {
  const fields = record.fields.map((field) => {
    const nullable = Array.isArray(field.type) ? ' | null' : '';
    return `${comment(field.doc, '  ')}  readonly ${field.name}: ${describe(record, field).typeScript}${nullable};`;
  });
  return `${comment(record.doc, '')}export type ${record.name} = {\n${fields.join('\n')}\n};`;
}

function comment(doc: string | undefined, indent: string): string {
  return doc === undefined ? '' : `${indent}/** ${doc.replaceAll('*/', '*\\/')} */\n`;
}

function union(words: readonly string[]): string {
  return words.map((word) => `'${word}'`).join(' | ');
}

function entitiesText(loaded: readonly Entity[]): string {
  return `${NOTICE}

import type { EntityDescription } from '../../core/canonical-record.ts';
import type { EntityName } from './records.ts';

export const entities: { readonly [E in EntityName]: EntityDescription } = {
${loaded.map(entityBlock).join('\n')}
};
`;
}

function entityBlock({ name, record }: Entity): string {
  const fields = record.fields.map((field) => {
    const flags = `nullable: ${Array.isArray(field.type)}, personal: ${field.personal === true}`;
    return `      { name: '${field.name}', ${describe(record, field).kind}, ${flags} },`;
  });
  return `  '${name}': {
    entity: '${name}',
    topic: 'canonical.${name}',
    key: [${record.key.map((key) => `'${key}'`).join(', ')}],
    owner: '${record.owner}',
    fields: [
${fields.join('\n')}
    ],
  },`;
}

function avroType(field: AvroField): AvroLogicalType {
  const type = Array.isArray(field.type) ? (field.type[1] as string | AvroLogicalType) : field.type;
  return typeof type === 'string' ? { type } : (type as AvroLogicalType);
}

function describe(record: AvroRecord, field: AvroField): Described {
  const type = avroType(field);
  const plain = (typeScript: string, name: string): Described => ({ typeScript, kind: `type: '${name}'` });
  switch (type.logicalType ?? type.type) {
    case 'string':
      return plain('string', 'string');
    case 'int':
      return plain('number', 'int');
    case 'long':
      return plain('bigint', 'long');
    case 'double':
      return plain('number', 'double');
    case 'boolean':
      return plain('boolean', 'boolean');
    case 'bytes':
      return plain('Uint8Array', 'bytes');
    case 'uuid':
      return plain('string', 'uuid');
    case 'date':
      return plain('string', 'date');
    case 'timestamp-micros':
      return plain('bigint', 'timestamp-micros');
    case 'time-micros':
      return plain('bigint', 'time-micros');
    case 'decimal':
      return { typeScript: 'string', kind: `type: 'decimal', precision: ${type.precision}, scale: ${type.scale ?? 0}` };
    case 'enum':
      return { typeScript: String(type.name), kind: `type: 'enum', symbols: [${symbolList(type)}]` };
    default:
      throw new Error(`avro/: ${record.name}.${field.name} has a type that canonical records don't use`);
  }
}

function symbolList(type: AvroLogicalType): string {
  return (type.symbols ?? []).map((symbol) => `'${symbol}'`).join(', ');
}

function main(check: boolean): number {
  if (check) {
    const stale = staleFiles();
    for (const file of stale) process.stderr.write(`stale: ${file}\n  hint:  npm run generate\n`);
    return stale.length === 0 ? 0 : EXIT_STALE;
  }
  for (const [path, text] of generate()) writeFileSync(new URL(path, import.meta.url), text);
  return 0;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) process.exitCode = main(process.argv.includes('--check'));
