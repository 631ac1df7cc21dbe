import { readFileSync } from 'node:fs';
import type { EntityName } from './generated/records.ts';

/** The Avro schema of an entity, as it is registered: the text of avro/<entity>.avsc. */
export function schemaOf(entity: EntityName): string {
  return readFileSync(new URL(`${entity}.avsc`, import.meta.url), 'utf8');
}

/** The Avro schema of what travels in the header `seam` (docs/decisions/0004-metadata-header.md). */
export function recordMetaSchema(): string {
  return readFileSync(new URL('record-meta.avsc', import.meta.url), 'utf8');
}
