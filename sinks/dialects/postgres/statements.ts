import type { StatementName } from '../dialect.ts';

export const statements: Readonly<Record<StatementName, string>> = {
  // topic, partition, first offset, owner → next offset, epoch. From here on the earlier owner's epoch is refused.
  takeLease: `
INSERT INTO seam.sink_offset AS lease (topic, partition, next_offset, owner, epoch, taken_at)
VALUES ($1, $2, $3, $4, 1, clock_timestamp())
ON CONFLICT (topic, partition) DO UPDATE
SET epoch = lease.epoch + 1, owner = excluded.owner, taken_at = excluded.taken_at
RETURNING next_offset, epoch`,

  // time, keys at most → keys of which a parked record is due, oldest first: place of the oldest, whether others lie elsewhere
  dueParked: `
SELECT due.entity, due.key, oldest.topic, oldest.partition, due.is_across
FROM (
  SELECT entity, key, min(id) AS oldest_id, min(partition) < max(partition) AS is_across
  FROM seam.parked GROUP BY entity, key HAVING min(next_try_at) <= $1::timestamptz ORDER BY min(id) LIMIT $2
) AS due JOIN seam.parked AS oldest ON oldest.id = due.oldest_id ORDER BY due.oldest_id`,

  // → waiting for rows or about to be tried, dead letters, waiting behind those
  parkedCounts: `
SELECT count(*) FILTER (WHERE next_try_at IS NOT NULL),
  count(*) FILTER (WHERE next_try_at IS NULL AND reason_code <> 'KEY_PARKED'),
  count(*) FILTER (WHERE next_try_at IS NULL AND reason_code = 'KEY_PARKED')
FROM seam.parked`,

  // entity, position, after this key, rows at most → keys of the entity older than the position
  liveKeys: `
SELECT key FROM seam.applied
WHERE entity = $1 AND key > $3 AND NOT deleted AND position < $2
ORDER BY key LIMIT $4`,

  // days, rows at most
  pruneEcho: `
DELETE FROM seam.echo WHERE ctid = ANY (ARRAY(
  SELECT ctid FROM seam.echo WHERE written_at < clock_timestamp() - make_interval(days => $1::int) LIMIT $2))`,

  checkConstraints: 'SET CONSTRAINTS ALL IMMEDIATE',
};
