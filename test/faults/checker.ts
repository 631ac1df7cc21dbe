/**
 * Looks at contents when nobody writes any more. Criteria, as in docs/faults.md:
 * C1 nothing lost · C2 no double effect · C3 order per key · C4 nothing comes back · C5 set aside is exactly what was injected.
 */
import { execFile } from 'node:child_process';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { promisify } from 'node:util';
import { comeToRest } from '../../demo/day.ts';
import { stockAccuracy } from '../../demo/measure.ts';
import { createLogger } from '../../adapters/logger.ts';
import { openLog, openLogAdmin } from '../../ops/log.ts';
import { readLetters } from '../../ops/redrive.ts';
import { placeText } from '../../processors/dead-letter.ts';
import { verifyDeployment } from '../../ops/operations/verify-deployment.ts';
import { ensureComponents } from '../../stack/artifacts.ts';
import { silent } from '../../stack/events.ts';
import type { StackSettings } from '../../stack/settings.ts';
import { jarsFolder } from '../../stack/unpack.ts';
import { readAudit, rowsOf, targets } from './audit.ts';
import type { FaultChain } from './chain.ts';
import type { History } from './history.ts';
import type { Journal } from './journal.ts';
import { awaits, DEAR_POLL_MS, insist } from './patience.ts';

const run = promisify(execFile);

export type Criterion = 'C1' | 'C2' | 'C3' | 'C4' | 'C5' | 'C6' | 'C7' | 'C8';
export type Finding = { readonly criterion: Criterion; readonly what: string };

/** What was injected and not yet taken away: `topic/partition/offset` of raw records; `<target> <entity> <key>`. */
export type Expected = { readonly deadLetters: Set<string>; readonly parked: Set<string> };

export type Checked = {
  readonly findings: readonly Finding[];
  readonly rowsCompared: number;
  readonly versionsAudited: number;
  readonly recordsRead: number;
  readonly repeats: number;
};

export type CheckerParts = {
  readonly chain: FaultChain;
  readonly journal: Journal;
  readonly history: History;
  readonly expected: Expected;
  readonly settings: StackSettings;
  readonly signal: AbortSignal;
};

const REST_LIMIT_MS = 90_000;
const VERIFY_PATIENCE_MS = 15_000;
const BETWEEN_LOOKS_MS = 2_000;
const OPEN_LIMIT_MS = 45_000;

/** What a row says of itself; the targets must not follow old versions in any case. */
export type Circumstances = { readonly feedsOldVersions?: boolean; readonly leavesTransactions?: boolean };

export async function check(parts: CheckerParts, circumstances: Circumstances): Promise<Checked> {
  const { chain, journal, history, expected, settings } = parts;
  const findings: Finding[] = [];
  const add = (criterion: Criterion, faults: readonly string[]) => {
    for (const what of faults) findings.push({ criterion, what });
  };
  await step(add, 'C6', () => rest(parts));
  let rowsCompared = 0;
  for (let look = 1; look <= 2; look += 1) {
    const verified = await verifyDeployment(chain.direct, { targets: [], patienceMs: VERIFY_PATIENCE_MS });
    rowsCompared += verified.rowsCompared;
    add('C1', verified.tables.flatMap(({ differences }) => differences.slice(0, 5).map(differenceText)).slice(0, 20));
    if (look === 1) await pause(BETWEEN_LOOKS_MS);
  }
  add('C1', await journal.check());
  add('C2', await sums(chain));
  const audits = await Promise.all(targets.map((target) => readAudit(chain.sessions, target)));
  for (const { target, faults } of audits) {
    add(
      'C3',
      faults.filter((fault) => !isReturn(fault)).map((fault) => `${target}: ${fault}`),
    );
    add(
      'C4',
      faults.filter(isReturn).map((fault) => `${target}: ${fault}`),
    );
  }
  const read = await history.readOn();
  if (circumstances.feedsOldVersions !== true) add('C3', read.faults);
  add('C5', difference('dead letters of the processors', await lettersOf(chain), expected.deadLetters));
  add('C5', difference('set aside in targets', await parked(chain), expected.parked));
  if (circumstances.leavesTransactions === true) await step(add, 'C2', () => noOpenTransaction(chain, settings));
  const versionsAudited = audits.reduce((sum, { versions }) => sum + versions, 0);
  return { findings, rowsCompared, versionsAudited, recordsRead: read.records, repeats: read.repeats };
}

async function step(
  add: (criterion: Criterion, faults: readonly string[]) => void,
  criterion: Criterion,
  work: () => Promise<unknown>,
): Promise<void> {
  try {
    await work();
  } catch (error) {
    add(criterion, [error instanceof Error ? error.message : String(error)]);
  }
}

type Differing = { system: string; table: string; key: string; kind: string; columns: readonly string[] };

function differenceText({ system, table, key, kind, columns }: Differing): string {
  return `${system} ${table} ${key}: ${kind}${columns.length === 0 ? '' : ` in ${columns.join(', ')}`}`;
}

const isReturn = (fault: string) => fault.includes('there again') || fault.includes('gone from the ledger');

/** Nothing moves: no new canonical record for a second, no sink behind, nothing waiting. */
export async function rest({ chain, signal }: Pick<CheckerParts, 'chain' | 'signal'>): Promise<void> {
  await awaits('nothing moves any more', REST_LIMIT_MS, async () => {
    const admin = await openLogAdmin(chain.direct);
    try {
      await comeToRest(admin, signal);
    } finally {
      await admin.close();
    }
    return chain.workers.views().every(({ name, status }) => {
      if (status?.state !== 'running') return false;
      return !name.startsWith('sink-') || (status.gauges.lag === 0 && status.gauges.waiting === 0);
    });
  }).catch((error: unknown) => {
    const states = chain.workers.views().map(({ name, status }) => `${name} ${workerText(status)}`);
    throw new Error(`${error instanceof Error ? error.message : String(error)}; workers: ${states.join('; ')}`);
  });
}

function workerText(status: ReturnType<FaultChain['workers']['views']>[number]['status']): string {
  if (status === null) return 'down';
  return `${status.state} ${status.reason ?? ''} ${JSON.stringify(status.gauges)}`;
}

/** Stock of every store and product = opening + corrections − sales; points of every member = the sum of their entries. */
async function sums(chain: FaultChain): Promise<string[]> {
  const faults: string[] = [];
  const stock = await insist('stock is read', () => stockAccuracy(chain.sessions));
  if (stock.exact !== stock.positions)
    faults.push(`stock: ${stock.positions - stock.exact} of ${stock.positions} are wrong`);
  const members = await rowsOf<{ mbr_id: number }>(
    chain.sessions,
    'crm',
    `SELECT m.mbr_id FROM crm.mbr m LEFT JOIN (SELECT mbr_id, sum(pts) AS pts FROM crm.pts_led GROUP BY 1) e USING (mbr_id)
     WHERE m.pts_bal <> coalesce(e.pts, 0) LIMIT 20`,
  );
  for (const { mbr_id } of members) faults.push(`points of member ${mbr_id} are not the sum of their entries`);
  return faults;
}

/** What the processors have set aside and nobody has given up, by place. */
export async function lettersOf(chain: FaultChain): Promise<Set<string>> {
  const log = openLog(chain.direct, 'faults-letters', createLogger('error'));
  const letters = [...(await readLetters(log, 'canonicalize')), ...(await readLetters(log, 'flow'))];
  return new Set(letters.filter(({ state }) => state !== 'discarded').map(({ place }) => placeText(place)));
}

async function parked(chain: FaultChain): Promise<Set<string>> {
  const found = new Set<string>();
  for (const target of targets) {
    const sql = 'SELECT p.* FROM seam.parked p';
    const rows = await rowsOf<{ entity: string; key: string }>(chain.sessions, target, sql);
    for (const { entity, key } of rows) found.add(`${target} ${entity} ${key}`);
  }
  return found;
}

function difference(what: string, found: ReadonlySet<string>, expected: ReadonlySet<string>): string[] {
  const unexpected = [...found].filter((one) => !expected.has(one)).map((one) => `${what}: ${one} was not injected`);
  const missing = [...expected].filter((one) => !found.has(one)).map((one) => `${what}: ${one} is missing`);
  return [...unexpected, ...missing].slice(0, 20);
}

/** Kafka's own tool tells of every transactional id how it stands. */
async function noOpenTransaction(chain: FaultChain, settings: StackSettings): Promise<void> {
  await awaits(
    'no transaction is open',
    OPEN_LIMIT_MS,
    async () => {
      const open = (await transactionStates(chain, settings)).filter(([, state]) => !/^(Complete|Empty)/.test(state));
      if (open.length > 0) throw new Error(open.map(([id, state]) => `${id} ${state}`).join(', '));
      return true;
    },
    DEAR_POLL_MS,
  );
}

export async function transactionStates(chain: FaultChain, settings: StackSettings): Promise<[string, string][]> {
  const components = await ensureComponents(['kafka'], { settings, progress: silent });
  const classPath = path.join(components.get('kafka') ?? '', jarsFolder, '*');
  const tool = [
    '-Xshare:auto',
    '-XX:TieredStopAtLevel=1',
    '-cp',
    classPath,
    'org.apache.kafka.tools.TransactionsCommand',
  ];
  const java = settings.javaHome === undefined ? 'java' : path.join(settings.javaHome, 'bin', 'java');
  const server = chain.direct.kafka.bootstrapServers;
  const { stdout } = await run(java, [...tool, '--bootstrap-server', server, 'list'], {
    env: settings.baseEnvironment,
  });
  const [header = '', ...lines] = stdout.trim().split('\n');
  const column = header.split(/\s+/).indexOf('TransactionState');
  if (column < 0) throw new Error(`the transactions tool answered: ${stdout.slice(0, 200)}`);
  return lines.map((line) => {
    const cells = line.trim().split(/\s+/);
    return [cells[0] ?? '', cells[column] ?? ''];
  });
}
