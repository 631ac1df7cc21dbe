import type { StatementName } from '../dialect.ts';

export const statements: Readonly<Record<StatementName, string>> = {
  // topic, partition, first offset, owner → next offset, epoch. From here on the earlier owner's epoch is refused.
  takeLease: `
INSERT INTO seam.sink_offset AS lease (topic, partition, next_offset, owner, epoch, taken_at)
VALUES ($1, $2, $3, $4, 1, clock_timestamp())
ON CONFLICT (topic, partition) DO UPDATE
SET epoch = lease.epoch + 1, owner = excluded.owner, taken_at = excluded.taken_at
RETURNING next_offset, epoch`,

  // time, keys at most → keys of which a parked record is due, oldest first: place of the oldest, whether others lie elsewhere,
  // whether one waits for a unique value, for a row
  dueParked: `
SELECT due.entity, due.key, oldest.topic, oldest.partition, due.is_across, due.is_held, due.is_child
FROM (
  SELECT entity, key, min(id) AS oldest_id, min(partition) < max(partition) AS is_across,
    bool_or(reason_code = 'VALUE_HELD') AS is_held, bool_or(reason_code = 'PARENT_MISSING') AS is_child
  FROM seam.parked GROUP BY entity, key HAVING min(next_try_at) <= $1::timestamptz ORDER BY min(id) LIMIT $2
) AS due JOIN seam.parked AS oldest ON oldest.id = due.oldest_id ORDER BY due.oldest_id`,

  // → waiting for rows or about to be tried, dead letters, waiting behind those; HELD_ATTEMPTS_MAX is in it
  parkedCounts: `
SELECT count(*) FILTER (WHERE next_try_at IS NOT NULL AND NOT (reason_code = 'VALUE_HELD' AND attempts >= 6)),
  count(*) FILTER (WHERE next_try_at IS NULL AND reason_code <> 'KEY_PARKED'
    OR next_try_at IS NOT NULL AND reason_code = 'VALUE_HELD' AND attempts >= 6),
  count(*) FILTER (WHERE next_try_at IS NULL AND reason_code = 'KEY_PARKED')
FROM seam.parked`,

  // entity, position, after this key, rows at most → keys of the entity older than the position, with their own position and source table
  liveKeys: `
SELECT key, position, source_table FROM seam.applied
WHERE entity = $1 AND key > $3 AND NOT deleted AND position < $2
ORDER BY key LIMIT $4`,

  // entity, after this key, rows at most → keys of the entity of which something is set aside
  parkedKeys: `
SELECT DISTINCT key FROM seam.parked WHERE entity = $1 AND key > $2 ORDER BY key LIMIT $3`,

  // entity → a line if rows of it are owned by keys that they don't name
  rowOwners: `
SELECT 1 FROM seam.row_owner WHERE entity = $1 LIMIT 1`,

  // days, rows at most
  pruneEcho: `
DELETE FROM seam.echo WHERE ctid = ANY (ARRAY(
  SELECT ctid FROM seam.echo WHERE written_at < clock_timestamp() - make_interval(days => $1::int) LIMIT $2))`,

  checkConstraints: 'SET CONSTRAINTS ALL IMMEDIATE',
};
