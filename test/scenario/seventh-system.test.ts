/**
 * Why: the README promises that a system is integrated by adding data, without reading or writing engine code. Here somebody
 * follows it to the letter, in a copy of the project, with a partner that the project has never heard of.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { appendFile, cp, mkdir, mkdtemp, readFile, readdir, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';
import { afterAll, expect, it } from 'vitest';
import type { StackDescription } from '../../stack/stack.ts';
import { arrives } from '../support/running-chain.ts';

const run = promisify(execFile);
const original = path.join(import.meta.dirname, '..', '..');
const fixture = path.join(original, 'test', 'fixtures', 'loyalty-partner');
const NEW_ROW_MS = 60_000;

let folder: string | undefined;
let project = '';
let workers: ChildProcess | undefined;
const pools: pg.Pool[] = [];
const took: string[] = [];

afterAll(async () => {
  process.stdout.write(`\na seventh system, step by step:\n${took.join('\n')}\n`);
  if (folder === undefined) return;
  try {
    await stopWorkers();
    await Promise.all(pools.map((pool) => pool.end()));
  } finally {
    await seam('stack', 'down', '--remove-data', '--yes').catch((error) => process.stderr.write(`${error}\n`));
    await rm(folder, { recursive: true, force: true });
  }
}, 120_000);

it('is integrated by its folders and a line in each index', async () => {
  await step('a copy of the project', copyProject);
  await step('its folders, a line in each index, the entity in the reporting store', addPartner);
  await step('avro/generate.ts', () => node('avro/generate.ts'));
  await step('the mapping says what the cases expect', async () => {
    expect((await node('test/support/accept-cases.ts')).stdout).toBe('0 case files changed\n');
  });
  await step('what npm run check asks of every system and entity', () =>
    node('node_modules/vitest/vitest.mjs', 'run', '--project', 'contract', 'systems.test', 'generated-types.test'),
  );

  const stack: StackDescription = JSON.parse((await step('seam stack up', () => seam('stack', 'up', '--json'))).stdout);
  await step('seam setup apply --legacy-schema --yes', () => seam('setup', 'apply', '--legacy-schema', '--yes'));
  await step('seam connectors apply crm loyalty-partner --yes', () =>
    seam('connectors', 'apply', 'crm', 'loyalty-partner', '--yes'),
  );
  await step('seam run', startWorkers);

  const [crm, partner, reporting] = ['crm', 'loyalty-partner', 'reporting'].map((system) => sessionOf(stack, system));
  const members = () => partner?.(`SELECT concat(cust, ' ', tier) FROM lp.member ORDER BY cust`);
  const vouchers = () => reporting?.('SELECT voucher_id, member_id, value, status FROM reporting.voucher');
  await crm?.(`INSERT INTO crm.mbr (mbr_id, nm) VALUES (900, 'Ada Smith'), (901, 'Bo Jones')`);
  const both = [['00000900 B'], ['00000901 B']];
  await step('members: crm → partner', () => arrives(both, async () => members(), NEW_ROW_MS));
  await partner?.(`INSERT INTO lp.audit (aud_no, msg) VALUES (1, 'looked at')`);
  await partner?.(`INSERT INTO lp.voucher (v_no, cust, val) VALUES (9007199254740993, '00000900', 12.50)`);
  const issued = [['9007199254740993', '900', '12.50', 'ISSUED']];
  await step('a voucher: partner → reporting', () => arrives(issued, async () => vouchers(), NEW_ROW_MS));
  await partner?.(`UPDATE lp.voucher SET st = 'R'`);
  const redeemed = [['9007199254740993', '900', '12.50', 'REDEEMED']];
  await step('the voucher is redeemed', () => arrives(redeemed, async () => vouchers()));
  await crm?.('UPDATE crm.mbr SET pts_bal = 600 WHERE mbr_id = 900');
  const silver = [['00000900 S'], ['00000901 B']];
  await step('a member becomes silver', () => arrives(silver, async () => members()));
  await crm?.('DELETE FROM crm.mbr WHERE mbr_id = 901');
  await step('a member leaves', () => arrives([['00000900 S']], async () => members()));

  const verified = await step('seam verify loyalty-partner', () => seam('verify', 'loyalty-partner'));
  expect(verified.stdout).toContain('lp.member (member): 1 rows, 0 differ');
  const reported = await step('seam verify reporting', () => seam('verify', 'reporting'));
  expect(reported.stdout).toContain('reporting.voucher (voucher): 1 rows, 0 differ');
  expect(await step('ctrl-c', stopWorkers)).toBe(0);
}, 480_000);

/** What is tracked, as it stands in the work tree; where there is no git, everything but what was installed or made. */
async function copyProject(): Promise<void> {
  folder = await mkdtemp(path.join(tmpdir(), 'seam-seventh-'));
  project = path.join(folder, 'project');
  const tracked = await run('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
    cwd: original,
  }).then(({ stdout }) => stdout.split('\0').filter((name) => name !== ''), topLevelNames);
  for (const name of tracked) {
    await mkdir(path.dirname(path.join(project, name)), { recursive: true });
    await cp(path.join(original, name), path.join(project, name), { recursive: true }).catch(passOverMissing);
  }
  await symlink(path.join(original, 'node_modules'), path.join(project, 'node_modules'));
}

async function topLevelNames(): Promise<string[]> {
  return (await readdir(original)).filter((name) => !['node_modules', '.seam', '.git'].includes(name));
}

/** Tracked, and deleted in the work tree. */
function passOverMissing(error: NodeJS.ErrnoException): void {
  if (error.code !== 'ENOENT') throw error;
}

/** The fixture's `.ts.txt` are TypeScript: under their own name they would be checked where their imports lead nowhere. */
async function addPartner(): Promise<void> {
  await cp(fixture, project, { recursive: true });
  const mapping = path.join(project, 'connectors/loyalty-partner/mapping.ts');
  const target = path.join(project, 'sinks/targets/loyalty-partner/target.ts');
  for (const file of [mapping, target]) await rename(`${file}.txt`, file);
  await edit('connectors/index.ts', [
    [`import pos from`, `import loyaltyPartner from './loyalty-partner/mapping.ts';\nimport pos from`],
    [`  source('finance', 'postgres', finance),\n`, `$&  source('loyalty-partner', 'postgres', loyaltyPartner),\n`],
  ]);
  await edit('sinks/index.ts', [
    [`import pos from`, `import loyaltyPartner from './targets/loyalty-partner/target.ts';\nimport pos from`],
    ['logistics, finance, ', '$&loyaltyPartner, '],
  ]);
  await edit('sinks/targets/reporting/target.ts', [[`  'market-survey',\n`, `$&  'voucher',\n`]]);
  const addition = path.join(project, 'sinks/targets/reporting/schema-voucher.sql');
  await appendFile(path.join(project, 'sinks/targets/reporting/schema.sql'), await readFile(addition, 'utf8'));
  await rm(addition);
}

async function edit(name: string, replacements: readonly (readonly [string, string])[]): Promise<void> {
  let text = await readFile(path.join(project, name), 'utf8');
  for (const [before, after] of replacements) {
    expect(text.split(before).length, `${before} in ${name}`).toBe(2);
    text = text.replace(before, after);
  }
  await writeFile(path.join(project, name), text);
}

function node(...args: string[]) {
  return run(process.execPath, args, { cwd: project, maxBuffer: 64 * 2 ** 20 });
}

/** As `npm run seam -- …` does. Where the stack is and what it is called are the defaults, inside the copy. */
const located: Readonly<Record<string, readonly string[]>> = { stack: ['--state-directory', '.seam/stack'] };
const deployed = ['--deployment', '.seam/stack/deployment.json'];
function seam(...args: string[]) {
  return node('cli/main.ts', ...args, ...(located[args[0] ?? ''] ?? deployed));
}

async function startWorkers(): Promise<void> {
  const child = spawn(process.execPath, ['cli/main.ts', 'run', ...deployed], { cwd: project, stdio: 'pipe' });
  workers = child;
  let said = '';
  await new Promise<void>((started, failed) => {
    const listen = (chunk: Buffer) => {
      said += chunk;
      if (said.includes('workers run')) started();
    };
    child.stdout.on('data', listen);
    child.stderr.on('data', listen);
    child.once('exit', (code) => failed(new Error(`seam run ended with ${code}: ${said}`)));
  });
}

async function stopWorkers(): Promise<number | null> {
  const child = workers;
  workers = undefined;
  if (child === undefined || child.exitCode !== null) return child?.exitCode ?? null;
  const ended = new Promise<number | null>((done) => child.once('exit', done));
  child.kill('SIGTERM');
  return ended;
}

/** As the application itself writes and reads: plain SQL. */
function sessionOf(stack: StackDescription, system: string) {
  const pool = new pg.Pool({ connectionString: stack.databases[system]?.adminUrl ?? '', max: 1 });
  pool.on('error', () => {});
  pools.push(pool);
  return async (text: string): Promise<unknown[]> => (await pool.query({ text, rowMode: 'array' })).rows;
}

async function step<T>(what: string, work: () => Promise<T>): Promise<T> {
  const startedMs = performance.now();
  const result = await work();
  took.push(`  ${what.padEnd(72)}${((performance.now() - startedMs) / 1000).toFixed(1).padStart(7)} s`);
  return result;
}
