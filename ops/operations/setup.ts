/** Sets a system up for Seam: side schema, users, publication, secrets. What it runs is the SQL in the system's folder. */
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { readPassword } from '../../adapters/deployment-file.ts';
import { writePrivateFile } from '../../adapters/private-file.ts';
import { type AdminConnection, queryRows, runScripts, type SqlScript } from '../../adapters/sql-script.ts';
import { grantsAsked, grantsMissing, grantsOf } from '../../core/databases/mariadb-grants.ts';
import { notPinned } from '../../core/databases/postgres.ts';
import { tablesLeftOutSql } from '../../core/databases/postgres-grants.ts';
import type { DatabaseAccess, Deployment } from '../../core/deployment.ts';
import { ConfigError } from '../../core/errors.ts';
import { dialects } from '../../sinks/dialects/index.ts';
import { publicationName } from '../sources/checks/postgres/publication.ts';
import type { System } from '../systems.ts';

export const CAPTURE_USER = 'seam_cdc';
export const SINK_USER = 'seam_sink';

/** MariaDB's own number. */
const NO_SUCH_GRANT = 1_141;

export type SetupPlan = { readonly system: string; readonly scripts: readonly SqlScript[]; readonly done: boolean };

/** What set-up could not protect with the administrator's rights: no reason to stop, and never silent. */
export type SetupFinding = { readonly text: string; readonly next: string };

/**
 * `withLegacySchema`: also make the legacy application's own tables, for the demo and tests, where they are missing. A store of
 * ours is given what it lacks in any case: a new entity's table comes with it. Where no administrator is named, nothing can be looked at,
 * and the plan is all that set-up consists of, for the owner of the database.
 */
export async function planSetup(deployment: Deployment, system: System, withLegacySchema: boolean): Promise<SetupPlan> {
  if (!hasAdmin(deployment, system.system)) return wholePlan(system, withLegacySchema);
  const admin = await adminConnection(deployment, system.system);
  const isOurs = system.source === null;
  const isIncomplete = isOurs && (await lacksTables(admin, system));
  const log = await logState(admin);
  const isAsked = (await isSetUp(admin)) && (isOurs || (await isPinned(admin))) && (await isGranted(admin, system));
  const isDone = !isIncomplete && isAsked;
  const done = isDone && log !== 'open';
  const scripts: SqlScript[] = [];
  if (isIncomplete || (withLegacySchema && !isOurs && (await isEmpty(admin))))
    scripts.push(await script(system.sql.schema));
  if (!done) scripts.push(sideSchema(system), await script(system.sql.setup), ...captureSettings(system));
  if (log === 'open') scripts.push(...quietLogScript(system));
  return { system: system.system, scripts, done: scripts.length === 0 };
}

/** Every script may be run again. */
async function wholePlan(system: System, withLegacySchema: boolean): Promise<SetupPlan> {
  const isOurs = system.source === null;
  const tables = isOurs || withLegacySchema ? [await script(system.sql.schema)] : [];
  const asked = [sideSchema(system), await script(system.sql.setup), ...captureSettings(system)];
  return { system: system.system, scripts: [...tables, ...asked, ...quietLogScript(system)], done: false };
}

export function hasAdmin(deployment: Deployment, system: string): boolean {
  return accessOf(deployment, system).adminUser !== undefined;
}

export async function applySetup(deployment: Deployment, system: System, plan: SetupPlan): Promise<SetupFinding[]> {
  const access = accessOf(deployment, system.system);
  const admin = await adminConnection(deployment, system.system);
  const capture = await readPassword(access, 'capture');
  await runScripts(admin, plan.scripts, { cdc_password: capture, sink_password: await readPassword(access, 'sink') });
  if (system.source !== null) await writeConnectSecrets(deployment, system.system, access, capture);
  const besideLog = system.source === null ? [] : await besideLogFindings(admin);
  const log = dialects[admin.kind].quietLog(SINK_USER);
  if (log === undefined || (await logState(admin)) === 'quiet') return besideLog;
  const next = `as a superuser: ${log.grantSql(admin.user)} then: seam setup apply ${system.system} --yes`;
  return [...besideLog, { text: log.finding, next }];
}

/** MariaDB only. The capture user may not see the rights of others, so only set-up can say it. */
async function besideLogFindings(admin: AdminConnection): Promise<SetupFinding[]> {
  if (admin.kind !== 'mariadb') return [];
  const rows = await queryRows<{ account: string }>(
    admin,
    `SELECT DISTINCT grantee AS account FROM information_schema.user_privileges
     WHERE privilege_type = 'BINLOG ADMIN' AND grantee NOT LIKE CONCAT('''', SUBSTRING_INDEX(CURRENT_USER(), '@', 1), '''@%')
     ORDER BY grantee`,
  );
  if (rows.length === 0) return [];
  const accounts = rows.map(({ account }) => account).join(', ');
  return [
    {
      text: `these accounts may change rows without an entry in the log (sql_log_bin = 0): ${accounts}`,
      next: 'take BINLOG ADMIN from those that do not need it; what one of them did in this way is found by: seam verify',
    },
  ];
}

/** `open`: may be made quiet with these rights; `refused`: may not. */
async function logState(admin: AdminConnection): Promise<'quiet' | 'open' | 'refused'> {
  const log = dialects[admin.kind].quietLog(SINK_USER);
  if (log === undefined || (await queryRows(admin, log.isQuietSql)).length > 0) return 'quiet';
  return (await queryRows(admin, log.mayApplySql)).length > 0 ? 'open' : 'refused';
}

/** The files that `${dir:/run/seam/secrets/<system>:<name>}` in connector.json refers to. */
async function writeConnectSecrets(
  deployment: Deployment,
  system: string,
  access: DatabaseAccess,
  password: string,
): Promise<void> {
  const directory = join(deployment.connect.localSecretsDirectory ?? deployment.connect.secretsDirectory, system);
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const values = {
    hostname: access.connectHost ?? access.host,
    port: String(access.connectPort ?? access.port),
    user: CAPTURE_USER,
    password,
    database: access.database,
  };
  for (const [name, value] of Object.entries(values)) {
    await writePrivateFile(join(directory, name), value);
  }
}

function sideSchema({ database }: System): SqlScript {
  return { name: `sinks/dialects/${database}/side-schema.sql`, text: dialects[database].sideSchemaSql() };
}

function captureSettings({ database, source }: System): SqlScript[] {
  const text = source === null ? undefined : dialects[database].captureSettingsSql(CAPTURE_USER);
  return text === undefined ? [] : [{ name: `sinks/dialects/${database}/capture-settings`, text }];
}

function quietLogScript({ database }: System): SqlScript[] {
  const log = dialects[database].quietLog(SINK_USER);
  return log === undefined ? [] : [{ name: `sinks/dialects/${database}/quiet-log`, text: log.applySql }];
}

async function script(file: URL): Promise<SqlScript> {
  return { name: file.pathname.split('/').slice(-3).join('/'), text: await readFile(file, 'utf8') };
}

/**
 * Has set-up run to its end, and is every table of this side schema there? MariaDB runs set-up statement by statement, so the last one is
 * looked for too.
 */
async function isSetUp(admin: AdminConnection): Promise<boolean> {
  const text = dialects[admin.kind].sideSchemaSql();
  const wanted = [...text.matchAll(/CREATE TABLE IF NOT EXISTS (seam\.\w+)/g)].map(([, table = '']) => table);
  const there = await queryRows<{ name: string }>(
    admin,
    `SELECT concat(table_schema, '.', table_name) AS name FROM information_schema.tables WHERE table_schema = 'seam'`,
  );
  const names = new Set(there.map(({ name }) => name));
  if (wanted.some((table) => !names.has(table))) return false;
  const user =
    admin.kind === 'postgres'
      ? `SELECT 1 FROM pg_roles WHERE rolname = '${SINK_USER}'`
      : `SELECT 1 FROM information_schema.user_privileges
         WHERE privilege_type = 'BINLOG REPLAY' AND grantee LIKE '''${SINK_USER}''@%'`;
  return (await queryRows(admin, user)).length > 0;
}

/** Set-ups of an earlier version lack these settings, or some of them. */
async function isPinned(admin: AdminConnection): Promise<boolean> {
  if (admin.kind !== 'postgres') return true;
  const [row] = await queryRows<{ setconfig: string[] }>(
    admin,
    `SELECT setconfig FROM pg_db_role_setting s
       JOIN pg_database d ON d.oid = s.setdatabase AND d.datname = current_database()
       JOIN pg_roles r ON r.oid = s.setrole AND r.rolname = '${CAPTURE_USER}'`,
  );
  return notPinned(row?.setconfig ?? []).length === 0;
}

/** A table that was added to setup.sql after set-up had run is not granted yet, and no publication tells it. */
async function isGranted(admin: AdminConnection, system: System): Promise<boolean> {
  if (admin.kind === 'mariadb') return isGrantedInMariadb(admin, system);
  const { source, target } = system;
  const asked = {
    captured: Object.keys(source?.mapping.tables ?? {}),
    publication: await publicationOf(system),
    reader: CAPTURE_USER,
    written: target?.tables.map(({ table }) => table) ?? [],
    writer: SINK_USER,
    isSource: source !== null,
    isTarget: target !== null,
  };
  return (await queryRows(admin, tablesLeftOutSql(asked))).length === 0;
}

async function publicationOf({ source }: System): Promise<string> {
  if (source === null) return '';
  const { config } = JSON.parse(await readFile(source.connectorFile, 'utf8'));
  return publicationName(config);
}

async function isGrantedInMariadb(admin: AdminConnection, { sql }: System): Promise<boolean> {
  const asked = grantsAsked(await readFile(sql.setup, 'utf8'));
  const present = await Promise.all(
    [...new Set(asked.map(({ account }) => account))].map(async (account) => {
      const [user = '', host = '%'] = account.split('@');
      const rows = await queryRows<Record<string, string>>(admin, `SHOW GRANTS FOR '${user}'@'${host}'`).catch(noneYet);
      return rows.flatMap((row) => grantsOf(Object.values(row)[0] ?? ''));
    }),
  );
  return grantsMissing(asked, present.flat()).length === 0;
}

/** The account is not there yet. */
function noneYet(error: unknown): [] {
  if ((error as { errno?: number }).errno === NO_SUCH_GRANT) return [];
  throw error;
}

async function lacksTables(admin: AdminConnection, { target }: System): Promise<boolean> {
  const rows = await queryRows<{ name: string }>(
    admin,
    `SELECT concat(table_schema, '.', table_name) AS name FROM information_schema.tables`,
  );
  const present = new Set(rows.map(({ name }) => name));
  return (target?.tables ?? []).some(({ table }) => !present.has(table));
}

async function isEmpty(admin: AdminConnection): Promise<boolean> {
  const sql =
    admin.kind === 'postgres'
      ? `SELECT 1 FROM information_schema.tables WHERE table_schema NOT IN ('pg_catalog', 'information_schema', 'seam') LIMIT 1`
      : `SELECT 1 FROM information_schema.tables WHERE table_schema = '${admin.database}' LIMIT 1`;
  return (await queryRows(admin, sql)).length === 0;
}

export async function adminConnection(deployment: Deployment, system: string): Promise<AdminConnection> {
  const access = accessOf(deployment, system);
  if (access.adminUser === undefined) {
    throw new ConfigError({
      code: 'ADMIN_MISSING',
      message: `no administrator named for system ${system}`,
      where: `systems.${system}.adminUser of the deployment file`,
      hint: `name one, or hand the output of this to the database owner: seam setup plan ${system}`,
    });
  }
  const { kind, host, port, database, adminUser } = access;
  return { kind, host, port, database, user: adminUser, password: await readPassword(access, 'admin') };
}

export function accessOf(deployment: Deployment, system: string): DatabaseAccess {
  const access = deployment.systems[system];
  if (access !== undefined) return access;
  throw new ConfigError({
    code: 'SYSTEM_NOT_DEPLOYED',
    message: `system ${system} has no database in the deployment file`,
    where: `systems.${system}`,
    hint: `known there: ${Object.keys(deployment.systems).join(', ') || 'none'}`,
  });
}
