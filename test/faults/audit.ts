/**
 * What the target itself saw: a trigger on the ledger writes every version of every key down, another watches the leases. It
 * stands outside Seam: whatever a worker, a zombie or a person does to the ledger is in it.
 */
import type { Sessions } from '../../demo/sessions.ts';
import { insist } from './patience.ts';

export type Target = 'pos' | 'logistics' | 'erp' | 'crm' | 'finance' | 'reporting';
export const postgresTargets = ['erp', 'crm', 'finance', 'reporting'] as const;
export const mariadbTargets = ['pos', 'logistics'] as const;
export const targets: readonly Target[] = [...postgresTargets, ...mariadbTargets];

export type AuditReport = {
  readonly target: Target;
  readonly versions: number;
  /** One line for each thing that must never happen. */
  readonly faults: readonly string[];
};

const POSTGRES_SETUP = `
CREATE SCHEMA seam_audit;
CREATE TABLE seam_audit.history (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, op text NOT NULL, entity text NOT NULL, key text NOT NULL,
  old_position bytea, new_position bytea, old_deleted boolean, new_deleted boolean);
CREATE TABLE seam_audit.fault (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, what text NOT NULL);
CREATE FUNCTION seam_audit.note() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
  INSERT INTO seam_audit.history (op, entity, key, old_position, new_position, old_deleted, new_deleted) VALUES (
    TG_OP, coalesce(NEW.entity, OLD.entity), coalesce(NEW.key, OLD.key), OLD.position, NEW.position, OLD.deleted, NEW.deleted);
  RETURN NULL;
END $$;
CREATE FUNCTION seam_audit.lease() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
  IF NEW.epoch < OLD.epoch OR (NEW.epoch = OLD.epoch AND NEW.next_offset < OLD.next_offset) THEN
    INSERT INTO seam_audit.fault (what) VALUES (
      format('lease of %s/%s went back: epoch %s to %s, offset %s to %s',
        OLD.topic, OLD.partition, OLD.epoch, NEW.epoch, OLD.next_offset, NEW.next_offset));
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER audit AFTER INSERT OR UPDATE OR DELETE ON seam.applied FOR EACH ROW EXECUTE FUNCTION seam_audit.note();
CREATE TRIGGER audit AFTER UPDATE ON seam.sink_offset FOR EACH ROW EXECUTE FUNCTION seam_audit.lease();`;

const MARIADB_SETUP = [
  'CREATE DATABASE seam_audit CHARACTER SET utf8mb4',
  `CREATE TABLE seam_audit.history (
     id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY, op VARCHAR(6) NOT NULL, entity VARCHAR(60) NOT NULL,
     \`key\` VARCHAR(500) NOT NULL, old_position VARBINARY(64), new_position VARBINARY(64),
     old_deleted TINYINT, new_deleted TINYINT) ENGINE = InnoDB`,
  'CREATE TABLE seam_audit.fault (id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY, what VARCHAR(500) NOT NULL) ENGINE = InnoDB',
  `CREATE TRIGGER seam.audit_insert AFTER INSERT ON seam.applied FOR EACH ROW
     INSERT INTO seam_audit.history (op, entity, \`key\`, new_position, new_deleted)
     VALUES ('INSERT', NEW.entity, NEW.\`key\`, NEW.\`position\`, NEW.deleted)`,
  `CREATE TRIGGER seam.audit_update AFTER UPDATE ON seam.applied FOR EACH ROW
     INSERT INTO seam_audit.history (op, entity, \`key\`, old_position, new_position, old_deleted, new_deleted)
     VALUES ('UPDATE', NEW.entity, NEW.\`key\`, OLD.\`position\`, NEW.\`position\`, OLD.deleted, NEW.deleted)`,
  `CREATE TRIGGER seam.audit_delete AFTER DELETE ON seam.applied FOR EACH ROW
     INSERT INTO seam_audit.history (op, entity, \`key\`, old_position, old_deleted)
     VALUES ('DELETE', OLD.entity, OLD.\`key\`, OLD.\`position\`, OLD.deleted)`,
  `CREATE TRIGGER seam.audit_lease AFTER UPDATE ON seam.sink_offset FOR EACH ROW
     INSERT INTO seam_audit.fault (what)
     SELECT CONCAT('lease of ', OLD.topic, '/', OLD.\`partition\`, ' went back: epoch ', OLD.epoch, ' to ', NEW.epoch,
       ', offset ', OLD.next_offset, ' to ', NEW.next_offset) FROM DUAL
     WHERE NEW.epoch < OLD.epoch OR (NEW.epoch = OLD.epoch AND NEW.next_offset < OLD.next_offset)`,
];

/** Before the first worker: from then on nothing escapes. */
export async function installAudit(sessions: Sessions): Promise<void> {
  for (const target of postgresTargets) await sessions[target].query(POSTGRES_SETUP);
  for (const target of mariadbTargets) for (const sql of MARIADB_SETUP) await sessions[target].query(sql);
}

/** Versions since the last look; what was looked at is taken away. */
export async function readAudit(sessions: Sessions, target: Target): Promise<AuditReport> {
  const read = <Row>(sql: string) => rowsOf<Row>(sessions, target, sql);
  const [end] = await read<{ id: bigint | string | null }>('SELECT max(id) AS id FROM seam_audit.history');
  const upTo = String(end?.id ?? 0);
  const [counted] = await read<{ n: bigint | string }>(
    `SELECT count(*) AS n FROM seam_audit.history WHERE id <= ${upTo}`,
  );
  const key = (mariadbTargets as readonly string[]).includes(target) ? '`key`' : 'key';
  const found = await read<{ what: string }>(
    `SELECT concat(op, ' ', entity, ' ', ${key}, ': ',
       CASE WHEN op = 'DELETE' THEN 'gone from the ledger'
            WHEN length(new_position) <> length(old_position) THEN 'another kind of position'
            WHEN new_position < old_position THEN 'went back'
            ELSE 'deleted and there again at one position' END) AS what
     FROM seam_audit.history
     WHERE id <= ${upTo} AND (op = 'DELETE' OR length(new_position) <> length(old_position) OR new_position < old_position
       OR (new_position = old_position AND old_deleted AND NOT new_deleted))
     ORDER BY id LIMIT 20`,
  );
  const leases = await read<{ what: string }>('SELECT what FROM seam_audit.fault ORDER BY id LIMIT 20');
  await read(`DELETE FROM seam_audit.history WHERE id <= ${upTo}`);
  await read('DELETE FROM seam_audit.fault');
  return { target, versions: Number(counted?.n ?? 0), faults: [...found, ...leases].map(({ what }) => String(what)) };
}

export async function rowsOf<Row>(
  sessions: Sessions,
  target: Target,
  sql: string,
  values: unknown[] = [],
): Promise<Row[]> {
  return insist(`${target} answers`, async () => {
    if (target === 'pos' || target === 'logistics') return (await sessions[target].query(sql, values)) as Row[];
    return (await sessions[target].query(sql, values)).rows as Row[];
  });
}
