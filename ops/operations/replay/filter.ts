/** Which records of a range are taken. Pure. */
import { asBuffer } from '../../../core/bytes.ts';
import { POSITION_BYTES } from '../../../core/position.ts';
import type { DecodedItem } from '../../../sinks/engine/decoder.ts';
import type { Filter } from './plan-file.ts';

export type Takes = (queued: DecodedItem) => boolean;

const EPOCH_BYTES = 2;

/**
 * A record that can't be read is taken unless something is asked of its contents. A truncation is no key's: where keys are named it
 * stays out, and the ledger still knows it.
 */
export function takesOf({ keys, system, positionFrom, positionTo }: Filter): Takes {
  const wanted = keys === undefined ? undefined : new Set(keys);
  const from = positionFrom === undefined ? undefined : Buffer.from(positionFrom, 'hex');
  const to = positionTo === undefined ? undefined : Buffer.from(positionTo, 'hex');
  return ({ item }) => {
    if (item.kind === 'key') return false;
    if (item.kind === 'undecodable') {
      return system === undefined && (wanted === undefined || wanted.has(item.undecodable.key));
    }
    const { key, meta } = item.candidate.record;
    if (wanted !== undefined && !wanted.has(key)) return false;
    if (system !== undefined && meta.system !== system) return false;
    if (from !== undefined && compareWithin(meta.position, from) < 0) return false;
    return to === undefined || compareWithin(meta.position, to) < 0;
  };
}

/** The source's own position, also of a shared entity's stamp. A position given as a place in the log names no epoch: 0 is any. */
function compareWithin(position: Uint8Array, bound: Buffer): number {
  const own = asBuffer(position).subarray(-POSITION_BYTES);
  const isAnyEpoch = bound.readUInt16BE(0) === 0;
  return isAnyEpoch
    ? Buffer.compare(own.subarray(EPOCH_BYTES), bound.subarray(EPOCH_BYTES))
    : Buffer.compare(own, bound);
}
