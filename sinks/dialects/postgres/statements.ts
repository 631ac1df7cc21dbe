import type { StatementName } from '../dialect.ts';

export const statements: Readonly<Record<StatementName, string>> = {
  // topic, partition, first offset, owner → next offset, epoch. From here on the earlier owner's epoch is refused.
  takeLease: `
INSERT INTO seam.sink_offset AS lease (topic, partition, next_offset, owner, epoch, taken_at)
VALUES ($1, $2, $3, $4, 1, clock_timestamp())
ON CONFLICT (topic, partition) DO UPDATE
SET epoch = lease.epoch + 1, owner = excluded.owner, taken_at = excluded.taken_at
RETURNING next_offset, epoch`,

  // time, rows at most → keys whose parked records are due, oldest first
  dueParked: `
SELECT entity, key, topic, partition, min(id)
FROM seam.parked WHERE next_try_at <= $1::timestamptz
GROUP BY entity, key, topic, partition ORDER BY min(id) LIMIT $2`,

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
