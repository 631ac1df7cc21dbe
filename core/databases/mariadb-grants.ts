/** What a set-up's GRANT statements ask, held against what an account has: a set-up that gained a table is not done. */

/** `object`: `pos.cust`, `seam.*` or `*.*`, without quotes. */
export type Grant = { readonly privilege: string; readonly object: string; readonly account: string };

const NAME = '(?:`[^`]+`|[^\\s`]+?)';
const GRANT = new RegExp(`^GRANT\\s+([\\s\\S]+?)\\s+ON\\s+(?:TABLE\\s+)?(${NAME}\\.${NAME})\\s+TO\\s+([^\\s;]+)`, 'i');
const COMMENT = /--[^\n]*/g;
const SEPARATORS = /,(?![^(]*\))/;

/** Statements are separated by a line `--;;`. */
export function grantsAsked(setup: string): Grant[] {
  return setup.split(/^--;;\s*$/m).flatMap((statement) => grantsOf(statement.replaceAll(COMMENT, '').trim()));
}

/** One line of `SHOW GRANTS`, or one statement; something else gives none. */
export function grantsOf(statement: string): Grant[] {
  const [, privileges = '', object = '', account = ''] = GRANT.exec(statement) ?? [];
  return privileges
    .split(SEPARATORS)
    .map((privilege) => privilege.trim().replaceAll(/\s+/g, ' ').toUpperCase())
    .filter((privilege) => privilege !== '')
    .map((privilege) => ({ privilege, object: plain(object), account: plain(account) }));
}

/** Those that no grant of `present` covers: one for the database or the server covers its tables. */
export function grantsMissing(asked: readonly Grant[], present: readonly Grant[]): Grant[] {
  return asked.filter((wanted) => !present.some((grant) => covers(grant, wanted)));
}

function covers(grant: Grant, wanted: Grant): boolean {
  if (grant.account !== wanted.account) return false;
  if (grant.privilege !== wanted.privilege && !/^ALL( PRIVILEGES)?$/.test(grant.privilege)) return false;
  const [database] = wanted.object.split('.');
  return [wanted.object, `${database}.*`, '*.*'].includes(grant.object);
}

function plain(name: string): string {
  return name.replaceAll(/[`'"]/g, '').replaceAll('\\_', '_');
}
