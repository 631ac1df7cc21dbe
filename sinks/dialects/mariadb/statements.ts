import type { StatementName } from '../dialect.ts';

export const statements: Readonly<Record<StatementName, string>> = {
  // topic, partition, first offset, owner → next offset, epoch. From here on the earlier owner's epoch is refused.
  takeLease: `
INSERT INTO seam.sink_offset (topic, \`partition\`, next_offset, owner, epoch, taken_at)
VALUES (?, ?, ?, ?, 1, NOW(6))
ON DUPLICATE KEY UPDATE epoch = epoch + 1, owner = VALUES(owner), taken_at = VALUES(taken_at)
RETURNING next_offset, epoch`,

  // time, keys at most → keys of which a parked record is due, oldest first: place of the oldest, whether others lie elsewhere,
  // whether one waits for a unique value, for a row
  dueParked: `
SELECT due.entity, due.\`key\`, oldest.topic, oldest.\`partition\`, due.is_across, due.is_held, due.is_child
FROM (
  SELECT entity, \`key\`, MIN(id) AS oldest_id, MIN(\`partition\`) < MAX(\`partition\`) AS is_across,
    MAX(reason_code = 'VALUE_HELD') AS is_held, MAX(reason_code = 'PARENT_MISSING') AS is_child
  FROM seam.parked GROUP BY entity, \`key\` HAVING MIN(next_try_at) <= ? ORDER BY MIN(id) LIMIT ?
) AS due JOIN seam.parked AS oldest ON oldest.id = due.oldest_id ORDER BY due.oldest_id`,

  // → waiting for rows or about to be tried, dead letters, waiting behind those; HELD_ATTEMPTS_MAX is in it
  parkedCounts: `
SELECT COUNT(CASE WHEN next_try_at IS NOT NULL AND NOT (reason_code = 'VALUE_HELD' AND attempts >= 6) THEN 1 END),
  COUNT(CASE WHEN next_try_at IS NULL AND reason_code <> 'KEY_PARKED'
    OR next_try_at IS NOT NULL AND reason_code = 'VALUE_HELD' AND attempts >= 6 THEN 1 END),
  COUNT(CASE WHEN next_try_at IS NULL AND reason_code = 'KEY_PARKED' THEN 1 END)
FROM seam.parked`,

  // entity, position, after this key, rows at most → keys of the entity older than the position, with their own position and source table
  liveKeys: `
SELECT \`key\`, \`position\`, source_table FROM seam.applied
WHERE entity = ? AND NOT deleted AND \`position\` < ? AND \`key\` > ?
ORDER BY \`key\` LIMIT ?`,

  // entity, after this key, rows at most → keys of the entity of which something is set aside
  parkedKeys: `
SELECT DISTINCT \`key\` FROM seam.parked WHERE entity = ? AND \`key\` > ? ORDER BY \`key\` LIMIT ?`,

  // entity → a line if rows of it are owned by keys that they don't name
  rowOwners: `
SELECT 1 FROM seam.row_owner WHERE entity = ? LIMIT 1`,

  // days, rows at most
  pruneEcho: `
DELETE FROM seam.echo WHERE written_at < NOW(6) - INTERVAL ? DAY LIMIT ?`,

  // each statement has been checked already
  checkConstraints: 'DO 0',
};
