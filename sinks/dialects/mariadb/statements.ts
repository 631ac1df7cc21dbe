import type { StatementName } from '../dialect.ts';

export const statements: Readonly<Record<StatementName, string>> = {
  // topic, partition, first offset, owner → next offset, epoch. From here on the earlier owner's epoch is refused.
  takeLease: `
INSERT INTO seam.sink_offset (topic, \`partition\`, next_offset, owner, epoch, taken_at)
VALUES (?, ?, ?, ?, 1, NOW(6))
ON DUPLICATE KEY UPDATE epoch = epoch + 1, owner = VALUES(owner), taken_at = VALUES(taken_at)
RETURNING next_offset, epoch`,

  // time, rows at most → keys whose parked records are due, oldest first
  dueParked: `
SELECT entity, \`key\`, topic, \`partition\`, MIN(id)
FROM seam.parked WHERE next_try_at <= ?
GROUP BY entity, \`key\`, topic, \`partition\` ORDER BY MIN(id) LIMIT ?`,

  // → waiting for rows or about to be tried, dead letters, waiting behind those
  parkedCounts: `
SELECT COUNT(next_try_at),
  COUNT(CASE WHEN next_try_at IS NULL AND reason_code <> 'KEY_PARKED' THEN 1 END),
  COUNT(CASE WHEN next_try_at IS NULL AND reason_code = 'KEY_PARKED' THEN 1 END)
FROM seam.parked`,

  // entity, position, after this key, rows at most → keys of the entity older than the position
  liveKeys: `
SELECT \`key\` FROM seam.applied
WHERE entity = ? AND NOT deleted AND \`position\` < ? AND \`key\` > ?
ORDER BY \`key\` LIMIT ?`,

  // days, rows at most
  pruneEcho: `
DELETE FROM seam.echo WHERE written_at < NOW(6) - INTERVAL ? DAY LIMIT ?`,

  // each statement has been checked already
  checkConstraints: 'DO 0',
};
