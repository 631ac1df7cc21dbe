/** A person on call at a running chain: provokes an error, types what it says word for word, and looks whether changes flow again. */
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';
import { ConnectClient, type ConnectorConfig } from '../../adapters/connect-client.ts';
import { stopConnector } from '../../ops/operations/connector-start.ts';
import { workerCommands } from '../../ops/worker-commands.ts';
import { type Desk, follow, type Printed, says, typed } from './operator.ts';
import { arrives, type RunningChain, startChain } from './running-chain.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const ARRIVES_MS = 120_000;
/** A source that is not whole is said within 60 s. */
const SAYS_MS = 90_000;
const FOLDERS = ['adapters', 'avro', 'cli', 'connectors', 'core', 'ops', 'processors', 'sinks', 'stack'];

export class OnCall {
  readonly chain: RunningChain;
  readonly connect: ConnectClient;
  desk: Desk;
  #member = 100_000;

  private constructor(chain: RunningChain) {
    this.chain = chain;
    this.desk = { ...chain, run: (worker) => this.started(worker) };
    this.connect = new ConnectClient(chain.deployment.connect.url);
  }

  static async begin(): Promise<OnCall> {
    const person = new OnCall(await startChain());
    await person.flows();
    // as an operator does, who waits until each first snapshot is settled
    await person.isWell('seam connectors apply --yes');
    return person;
  }

  end(): Promise<void> {
    return this.chain.stop();
  }

  readonly crm = (sql: string, values: unknown[] = []) => this.chain.sessions.crm.query(sql, values);
  readonly pos = (sql: string, values: unknown[] = []) => this.chain.sessions.pos.query(sql, values);
  readonly reported = async (sql: string) =>
    (await this.chain.sessions.reporting.query({ text: sql, rowMode: 'array' })).rows;

  /** The newest member, whose change arrived last. */
  get member(): number {
    return this.#member;
  }

  /** A change of today arrives in the reporting store and in the tills. */
  async flows(): Promise<void> {
    this.#member += 1;
    const member = this.#member;
    await this.crm(`INSERT INTO crm.mbr (mbr_id, nm) VALUES ($1, 'remedied')`, [member]);
    await this.isReported(`SELECT count(*)::int FROM reporting.member WHERE member_id = '${member}'`, 1);
    const held = `SELECT COUNT(*) AS n FROM cust WHERE cust_no = LPAD('${member}', 10, '0')`;
    await arrives(1, async () => Number(((await this.pos(held)) as { n: bigint }[])[0]?.n), ARRIVES_MS);
  }

  /** A sale of today arrives in the reporting store. */
  async posFlows(): Promise<void> {
    this.#member += 1;
    const sale = this.#member;
    await this.pos(
      `INSERT INTO tlog_hdr (bskt_no, str_cd, cust_no, sold_ts, tot_amt) VALUES (${sale}, '000330', '', '2017-03-01 10:00:00', 5)`,
    );
    await this.isReported(`SELECT count(*)::int FROM reporting.sale WHERE sale_id = '${sale}'`, 1);
  }

  /** `sql` reads one value of the reporting store. */
  async isReported(sql: string, value: unknown): Promise<void> {
    await arrives([[value]], () => this.reported(sql), ARRIVES_MS);
  }

  /** Types the command until it says the code: what is wrong may take a moment to show. */
  async says(code: string, command: string): Promise<Printed> {
    let printed: Printed | undefined;
    const isSaid = async () => {
      printed = await typed(this.desk, command);
      return says(printed.text, code) ? code : printed.text;
    };
    await arrives(code, isSaid, SAYS_MS);
    return printed as Printed;
  }

  async isWell(command: string): Promise<void> {
    const outcome = async () => {
      const { exitCode, text } = await typed(this.desk, command);
      return exitCode === 0 ? 'exit 0' : text;
    };
    await arrives('exit 0', outcome, ARRIVES_MS);
  }

  /** Types what was said below the code, and each command ends well. */
  async does({ text }: Printed, code: string): Promise<Printed[]> {
    const printed = await follow(this.desk, text, code);
    for (const { command, exitCode, text: answer } of printed) expect(exitCode, `${command}\n${answer}`).toBe(0);
    return printed;
  }

  /** Gives a connector other settings without asking Seam. */
  async putSettings(name: string, change: (config: ConnectorConfig) => ConnectorConfig): Promise<void> {
    const config = await this.connect.config(name);
    if (config === null) throw new Error(`no connector ${name}`);
    // or the task of before would send some changes more
    await stopConnector(this.connect, name);
    await this.connect.put(name, change(config));
    await this.connect.resume(name);
  }

  /** By Kafka Connect itself, as somebody may have done who knows nothing of Seam. */
  async pause(name: string): Promise<void> {
    const response = await fetch(`${this.chain.deployment.connect.url}/connectors/${name}/pause`, { method: 'PUT' });
    expect(response.status).toBe(202);
  }

  /** The id of a dead letter with this code, once there is one. */
  async lists(code: string): Promise<string> {
    let id = '';
    const isListed = async () => {
      const { text } = await typed(this.desk, `seam dead-letter list --code ${code}`);
      id = /ids: (\S+)/.exec(text)?.[1] ?? '';
      return id === '' ? text : code;
    };
    await arrives(code, isListed, ARRIVES_MS);
    return id;
  }

  stateOf(worker: string) {
    return this.chain.workers.views().find(({ name }) => name === worker)?.status;
  }

  async restarted(worker: string, between: () => Promise<unknown> = async () => {}): Promise<void> {
    await this.chain.workers.halt(worker);
    await between();
    await this.started(worker);
  }

  /** `seam run …` of this worker. */
  async started(worker: string): Promise<void> {
    const command = workerCommands()[worker];
    if (command === undefined) throw new Error(`no worker ${worker}`);
    // it may fail at once, which is what the test wants to see
    await this.chain.workers.start({ [worker]: command }, 5_000).catch(() => {});
  }

  /** In a copy of the project whose files may be edited. */
  async inCopy(work: (folder: string) => Promise<void>): Promise<void> {
    const folder = await mkdtemp(path.join(tmpdir(), 'seam-copy-'));
    const before = this.desk;
    try {
      for (const name of [...FOLDERS, 'package.json'])
        await cp(path.join(root, name), path.join(folder, name), { recursive: true });
      await symlink(path.join(root, 'node_modules'), path.join(folder, 'node_modules'));
      this.desk = { ...before, folder };
      await work(folder);
    } finally {
      this.desk = before;
      await rm(folder, { recursive: true, force: true });
    }
  }
}

/** The answer puts the file back. */
export async function edit(file: string, from: string, to: string): Promise<() => Promise<void>> {
  const text = await readFile(file, 'utf8');
  if (!text.includes(from)) throw new Error(`${file} lacks ${from}`);
  await writeFile(file, text.replace(from, to));
  return () => writeFile(file, text);
}
