/** A `delete` on the redrive lane → a canonical tombstone: the source has no row of this key any more. */
import type { Operation } from '../core/change-event.ts';
import type { LogRecord, OutputRecord } from '../core/ports.ts';
import { POSITION_BYTES, sharedStamp } from '../core/position.ts';
import type { Codecs } from './codecs.ts';
import type { CompiledEntity, CompiledTable } from './compile-mapping.ts';
import { refused, type Sweep } from './redrive.ts';
import { traceIdOf } from './trace.ts';

const DELETE: Operation = 'd';
const POSITION_TEXT = new RegExp(`^[0-9a-f]{${POSITION_BYTES * 2}}$`);

export function sweeper(parts: {
  readonly tables: ReadonlyMap<string, CompiledTable>;
  readonly codecs: Codecs;
}): (request: LogRecord) => OutputRecord {
  const compiled = new Map<string, CompiledEntity>();
  for (const table of parts.tables.values()) {
    for (const entity of table.entities) compiled.set(`${entity.system} ${entity.description.entity}`, entity);
  }
  return ({ value }) => {
    const { entity, key, position, commitTimeUs, system } = readSweep(value);
    const found = compiled.get(`${system} ${entity}`);
    if (found === undefined) throw refused('its system maps no such entity');
    const bytes = Buffer.from(position, 'hex');
    const timeUs = BigInt(commitTimeUs);
    const meta = {
      system,
      position: found.isShared ? sharedStamp(system, timeUs, bytes) : bytes,
      operation: DELETE,
      commitTimeUs: timeUs,
      hops: 0,
      traceId: traceIdOf({ system, table: found.table, position: bytes }),
      absent: [],
    };
    return parts.codecs.output(found.description, key, null, meta);
  };
}

function readSweep(value: Uint8Array | null): Sweep {
  const sweep = parsed(value);
  const { entity, key, position, commitTimeUs, system } = sweep;
  for (const text of [entity, key, position, commitTimeUs, system]) {
    if (typeof text !== 'string' || text === '') throw refused('it is no sweep');
  }
  if (!POSITION_TEXT.test(position)) throw refused('its position is none of a source');
  if (!/^\d+$/.test(commitTimeUs)) throw refused('its time is none');
  return sweep;
}

/** The text of the parser's error may hold the key. */
function parsed(value: Uint8Array | null): Sweep {
  try {
    const sweep = JSON.parse(Buffer.from(value ?? []).toString('utf8')) as Sweep | null;
    if (sweep !== null && typeof sweep === 'object') return sweep;
  } catch {
    // answered below
  }
  throw refused('its value is no JSON object');
}
