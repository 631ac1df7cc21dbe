/** The canonical contracts are whole: generated files are current, everything is explained, keys hold nothing personal. */
import { readdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { staleFiles } from '../../avro/generate.ts';
import { entities } from '../../avro/generated/entities.ts';
import type { EntityName } from '../../avro/generated/records.ts';
import { recordMetaSchema, schemaOf } from '../../avro/index.ts';
import type { AvroField, AvroRecord } from '../../avro/schema-text.ts';
import { systems } from '../../connectors/index.ts';
import { steps } from '../../processors/steps/index.ts';

const names = Object.keys(entities) as EntityName[];
const schemaFor = (name: EntityName) => JSON.parse(schemaOf(name)) as AvroRecord;
const owners = [...systems.map(({ system }) => system), ...steps.map(({ name }) => name), 'shared'];
const DOC_CHARACTERS_MIN = 15;

/** Docs of the field and of every named type inside it. */
function docsOf(field: AvroField): (string | undefined)[] {
  const type = Array.isArray(field.type) ? field.type[1] : field.type;
  const inner = typeof type === 'object' && 'symbols' in type ? [type.doc] : [];
  return [field.doc, ...inner];
}

describe('canonical contracts', () => {
  it('have current generated files; run `npm run generate`', () => {
    expect(staleFiles()).toEqual([]);
  });

  it('are one file each', () => {
    const files = readdirSync(new URL('../../avro', import.meta.url)).filter((file) => file.endsWith('.avsc'));
    expect(files.sort()).toEqual([...names.map((name) => `${name}.avsc`), 'record-meta.avsc'].sort());
  });

  it('explain what travels in the header', () => {
    const schema = JSON.parse(recordMetaSchema()) as AvroRecord;
    for (const field of schema.fields) expect(field.doc?.length ?? 0, field.name).toBeGreaterThan(DOC_CHARACTERS_MIN);
  });

  it('name every enum once, as Avro has one space of names', () => {
    const enums = names.flatMap((name) => schemaFor(name).fields.flatMap(enumName));
    expect(new Set(enums).size).toBe(enums.length);
  });
});

function enumName(field: AvroField): string[] {
  const type = Array.isArray(field.type) ? field.type[1] : field.type;
  return typeof type === 'object' && 'name' in type ? [String(type.name)] : [];
}

describe.each(names)('%s', (name) => {
  const schema = schemaFor(name);

  it('says what it is, and every field too', () => {
    expect(schema.doc?.length ?? 0).toBeGreaterThan(DOC_CHARACTERS_MIN);
    for (const field of schema.fields) {
      for (const doc of docsOf(field)) expect(doc?.length ?? 0, field.name).toBeGreaterThan(DOC_CHARACTERS_MIN);
    }
  });

  it('is named after its file, in one namespace', () => {
    const words = name.split('-').map((word) => word.charAt(0).toUpperCase() + word.slice(1));
    expect(schema.name).toBe(words.join(''));
    expect(schema.namespace).toBe('seam.canonical');
  });

  it('has one owner: a system, a step, or shared', () => {
    expect(owners).toContain(schema.owner);
  });

  it('has a key of present, plain and not personal fields, first in the record', () => {
    const { key, fields } = entities[name];
    expect(key.length).toBeGreaterThan(0);
    expect(fields.slice(0, key.length).map((field) => field.name)).toEqual(key);
    for (const field of fields.slice(0, key.length)) {
      expect(['string', 'int', 'long'], field.name).toContain(field.type);
      expect([field.nullable, field.personal], field.name).toEqual([false, false]);
    }
  });

  it('lets a nullable field be left out: null first, null by default', () => {
    for (const field of schema.fields) {
      if (!Array.isArray(field.type)) expect(field, field.name).not.toHaveProperty('default');
      else expect([field.type[0], field.default], field.name).toEqual(['null', null]);
    }
  });

  it('has no default symbol in its enums: an unknown word is refused', () => {
    expect(schemaOf(name)).not.toMatch(/"default": "(?!null)/);
  });
});
