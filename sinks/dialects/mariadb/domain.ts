/**
 * The echo tag: a GTID domain and server id of our own, 7700 and up, which Debezium shows on every row of our transactions.
 * Two live connections must not share a domain: each reserves its number by a named lock, which dies with the connection.
 */
import type { Connection as DriverConnection } from 'mariadb';
import { ConfigError, TransientError } from '../../../core/errors.ts';

const FIRST_DOMAIN = 7_700;
const DOMAINS = 100;
const NO_RIGHT = 1227;

export async function setDomain(connection: DriverConnection, owner: string, user: string): Promise<string> {
  const first = stableHash(owner) % DOMAINS;
  for (let tried = 0; tried < DOMAINS; tried += 1) {
    const number = (first + tried) % DOMAINS;
    const [row] = (await connection.query('SELECT GET_LOCK(?, 0)', [`seam_domain_${number}`])) as [[number | bigint]];
    if (Number(row[0]) !== 1) continue;
    const domain = FIRST_DOMAIN + number;
    try {
      await connection.query('SET SESSION gtid_domain_id = ?, SESSION server_id = ?', [domain, domain]);
    } catch (error) {
      throw (error as { errno?: number }).errno === NO_RIGHT ? refused(user, error) : error;
    }
    return String(domain);
  }
  throw new TransientError({
    code: 'DOMAINS_EXHAUSTED',
    message: `all ${DOMAINS} GTID domains of Seam are in use`,
    hint: 'end the connections of workers that are gone: SHOW PROCESSLIST',
  });
}

function refused(user: string, cause: unknown): ConfigError {
  return new ConfigError({
    code: 'ECHO_TAG_REFUSED',
    message: `user "${user}" may not set a GTID domain, so its writes would come back as news`,
    hint: `GRANT BINLOG REPLAY ON *.* TO ${user}`,
    cause,
  });
}

/** FNV-1a, 32 bits. */
function stableHash(text: string): number {
  let hash = 0x811c9dc5;
  for (const byte of Buffer.from(text, 'utf8')) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  return hash;
}
