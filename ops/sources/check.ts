/**
 * Can what a connector has not read yet still be read, and is it still the same server? Asked of the source by plain SQL and
 * held against what the connector remembers (its offsets and `seam.identity`, both in Kafka Connect). Debezium halts by itself in most of
 * these cases; here they get a name, and those in which it goes on or only waits are found.
 */
import type { ConnectorConfig } from '../../adapters/connect-client.ts';
import { ContractError } from '../../core/errors.ts';
import { openSource, type SourceSession } from '../resnapshot/source-session.ts';
import type { ReadConnection } from '../verify/source-rows.ts';

/** In a connector's settings: which server it reads. */
export const IDENTITY_SETTING = 'seam.identity';

export type Remembered = {
  readonly config: ConnectorConfig;
  /** undefined: nothing was read yet. */
  readonly offset: Readonly<Record<string, unknown>> | undefined;
};

export type SourceState = {
  readonly identity: string;
  readonly fault: ContractError | undefined;
};

export async function checkSource(
  system: string,
  connection: ReadConnection,
  remembered: Remembered,
): Promise<SourceState> {
  const session = await openSource(connection);
  try {
    const place = { system, session, remembered };
    return connection.kind === 'postgres' ? await checkPostgres(place) : await checkMariadb(place);
  } finally {
    await session.close();
  }
}

type Place = { readonly system: string; readonly session: SourceSession; readonly remembered: Remembered };

async function checkPostgres({ system, session, remembered }: Place): Promise<SourceState> {
  const [server] = await session.query<{ identity: string; position: string }>(
    `SELECT (SELECT system_identifier FROM pg_control_system()) || ' timeline ' || (SELECT timeline_id FROM pg_control_checkpoint())
            AS identity,
            (CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_insert_lsn() END - '0/0')::text
            AS position`,
  );
  const identity = server?.identity ?? '';
  const replaced = otherServer(system, identity, remembered.config);
  const { offset, config } = remembered;
  if (replaced !== undefined || offset === undefined) return { identity, fault: replaced };
  const read = BigInt(String(offset.lsn ?? 0));
  if (read > BigInt(server?.position ?? 0)) return { identity, fault: wentBack(system, 'LSN') };
  const slot = config['slot.name'] ?? '';
  const [found] = await session.query<{ status: string | null }>(
    'SELECT wal_status AS status FROM pg_replication_slots WHERE slot_name = ? AND database = current_database()',
    [slot],
  );
  if (found === undefined) return { identity, fault: logLost(system, `the replication slot "${slot}" is gone`) };
  if (found.status === 'lost') {
    const told = `the replication slot "${slot}" was invalidated: the log it needs was removed`;
    return { identity, fault: logLost(system, told) };
  }
  return { identity, fault: undefined };
}

async function checkMariadb({ system, session, remembered }: Place): Promise<SourceState> {
  const [server] = await session.query<{ identity: string; gtids: string }>(
    `SELECT CONCAT('server_id ', @@server_id, ' domain ', @@gtid_domain_id) AS identity, @@gtid_binlog_pos AS gtids`,
  );
  const identity = server?.identity ?? '';
  const replaced = otherServer(system, identity, remembered.config);
  const { offset } = remembered;
  if (replaced !== undefined || offset === undefined) return { identity, fault: replaced };
  const present = lastOfDomains(server?.gtids ?? '');
  for (const [domain, last] of lastOfDomains(String(offset.gtids ?? ''))) {
    if (last > (present.get(domain) ?? 0n)) return { identity, fault: wentBack(system, 'GTID') };
  }
  const files = await session.query<{ Log_name: string }>('SHOW BINARY LOGS');
  const file = String(offset.file ?? '');
  if (file === '' || files.some((one) => one.Log_name === file)) return { identity, fault: undefined };
  return { identity, fault: logLost(system, `the binary log ${file} was purged before it was read to its end`) };
}

/** `0-1001-24,7-2-5` → domain → its last number. Several servers may have written one domain. */
function lastOfDomains(gtids: string): Map<string, bigint> {
  const last = new Map<string, bigint>();
  for (const [, domain = '', number = '0'] of gtids.matchAll(/(\d+)-\d+-(\d+)/g)) {
    const known = last.get(domain) ?? 0n;
    if (BigInt(number) >= known) last.set(domain, BigInt(number));
  }
  return last;
}

function otherServer(system: string, identity: string, config: ConnectorConfig): ContractError | undefined {
  const known = config[IDENTITY_SETTING];
  if (known === undefined || known === identity) return undefined;
  return new ContractError({
    code: 'SOURCE_REPLACED',
    message: `another server answers as ${system}: it was ${known}, and is ${identity}`,
    where: `source ${system}`,
    hint: `point the deployment file back, or accept it, which reads all of it again: seam connectors recover ${system}`,
  });
}

function wentBack(system: string, what: string): ContractError {
  return new ContractError({
    code: 'SOURCE_WENT_BACK',
    message: `the log of ${system} ends before what was read already: it was restored or reset (${what})`,
    where: `source ${system}`,
    hint: `what it says now is to be read anew: seam connectors recover ${system}`,
  });
}

function logLost(system: string, told: string): ContractError {
  return new ContractError({
    code: 'SOURCE_LOG_LOST',
    message: `changes of ${system} were lost before they were read: ${told}`,
    where: `source ${system}`,
    hint: `read it again: seam connectors recover ${system}`,
  });
}
