/** A plan at work on the world's servers: it starts, its steps are carried out, both sides are looked at, and all of it is cleared away. */
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { compare, type Compared } from './checker.ts';
import { openSession, runSql, type Session } from './databases.ts';
import {
  type Action,
  dotted,
  FIRST_ROWS,
  type Kind,
  type Names,
  named,
  placed,
  type RoundPlan,
  type Step,
  type TablePlan,
} from './plan.ts';
import { type Project, type TableState, writeProject } from './project.ts';
import { knownWarnings, listen, namesTable, saidOf, type Said } from './said.ts';
import { ownersStatementsIn } from './hints.ts';
import type { Met } from './coverage.ts';
import type { Finding, FindingKind, Outcome } from './finding.ts';
import { KeptRows } from './kept-rows.ts';
import { type Answer, COMMAND_MS_MAX, Seam } from './seam.ts';
import type { World } from './world.ts';

const SETTLE_MS_MAX = 60_000;
const REST_MS_MAX = 12_000;
/** Also where the time is over: what was begun is not always cut off. */
const COMMAND_MS_MIN = 60_000;
/** An entity that moves no more while others do is looked at in the end. */
const STILL_MS = 8_000;
const LOOK_EVERY_MS = 700;

/** When a round that may not take long begins no further step, and when it gives no further command that might heal. */
export type Limits = { readonly stepsUntilMs: number; readonly healUntilMs: number };
const NO_LIMITS: Limits = { stepsUntilMs: Infinity, healUntilMs: Infinity };

export class RunningRound {
  readonly limits: Limits;
  readonly world: World;
  readonly #plan: RoundPlan;
  readonly #say: (line: string) => void;
  readonly names: Names;
  readonly #states = new Map<string, TableState>();
  readonly #findings: Finding[] = [];
  readonly done: Step[] = [];
  readonly #met: Met[] = [];
  readonly #log: string[] = [];
  readonly #startedMs = Date.now();
  readonly #kept = new KeptRows();
  seam!: Seam;
  #project!: Project;
  #sessions: Record<Kind, Session> | undefined;
  knowsStatus = false;
  readonly #obeyed = new Set<string>();
  /** Warnings that stand while all is equal. */
  #known: ReadonlySet<string> = new Set();
  /** Entities that were unequal after the last wait: no reason to wait for them once more. */
  known: ReadonlySet<string> = new Set();

  constructor(world: World, plan: RoundPlan, say: (line: string) => void, limits = NO_LIMITS) {
    this.limits = limits;
    this.world = world;
    this.#plan = plan;
    this.#say = say;
    this.names = world.nextNames();
    for (const table of plan.tables)
      this.#states.set(table.id, table.addedLater ? 'left' : table.ignoredAtFirst ? 'ignored' : 'mapped');
  }

  note(text: string): void {
    const line = `${((Date.now() - this.#startedMs) / 1000).toFixed(1).padStart(6)} s  ${named(text, this.names)}`;
    this.#log.push(line);
    this.#say(line);
  }

  outcome(): Outcome {
    return {
      findings: this.#findings,
      met: this.#met,
      stepsDone: new Set(this.done.map(({ id }) => id)),
      log: this.#log,
    };
  }

  // ---- start and end ---------------------------------------------------------------------------------------------------

  async begin(): Promise<void> {
    const { folder, code, node } = this.world;
    await this.world.makeDatabases(this.names);
    const deployment = await this.world.writeDeployment(this.names);
    this.seam = new Seam(node, code.folder, deployment, path.join(folder, 'logs', this.names.postgres));
    this.#project = { code, plan: this.#plan, names: this.names, states: this.#states, node };
    for (const table of this.#plan.tables) {
      await this.#sql(table.kind, table.ddl);
      await this.#sql(table.target.kind, this.isTwin(table) ? [] : table.target.ddl);
    }
    for (const step of this.#plan.steps.filter(({ operation }) => operation === FIRST_ROWS)) await this.#carryOut(step);
    await writeProject(this.#project);
    this.knowsStatus = this.world.noteSlowness(await this.seam.run(['--help'])).includes('\n  status');
    await this.command(['setup', 'apply', '--yes']);
    for (const step of this.#plan.steps.filter(({ early, operation }) => early && operation !== FIRST_ROWS))
      await this.#carryOut(step);
    await this.#startConnectors();
    await this.seam.startWorkers();
    this.note('workers started');
    await this.rest(SETTLE_MS_MAX, STILL_MS);
    if (this.known.size === 0) this.#known = knownWarnings(await listen(this.seam, this.knowsStatus));
  }

  /** An owner does what the refusal asks for; what is refused by name after that is left out, as by a person who has to go on. */
  async #startConnectors(): Promise<void> {
    for (let turn = 0; turn < 6; turn += 1) {
      const { code, complaint: said } = await this.command(['connectors', 'apply', '--yes']);
      if (code === 0) return;
      if (await this.#obeyAsOwner(said)) continue;
      const refused = this.mapped().filter(({ kind, name }) => namesTable(said, named(dotted(kind, name), this.names)));
      // a refusal without a name is a finding; what looks unusual is left out then, so that the others are tried
      const left = refused.length > 0 ? refused : this.mapped().filter(({ features }) => features.some(isUnusual));
      if (refused.length === 0)
        this.find(
          'not started',
          left.map(({ id }) => id),
          said.slice(-1_500),
        );
      if (left.length === 0) return;
      this.note(
        `left out: ${left.map(({ id, features }) => `${id} (${features.filter((feature) => /shape|key/.test(feature)).join(', ')})`).join('; ')}`,
      );
      for (const table of left) this.#states.set(table.id, 'left');
      await writeProject(this.#project);
    }
  }

  /** Statements that a text asks an owner for; were there any that it did not ask for before? */
  async #obeyAsOwner(text: string): Promise<boolean> {
    const statements = ownersStatementsIn([{ text }]).filter((statement) => !this.#obeyed.has(statement));
    for (const statement of statements) this.#obeyed.add(statement);
    await this.#sql('postgres', statements);
    return statements.length > 0;
  }

  async end(): Promise<void> {
    await this.seam?.stopWorkers();
    await this.seam?.forgetWords();
    await this.#closeSessions();
    const { postgres, mariadb } = this.world.code.templates.teardown;
    const ours = (text: string) =>
      text
        .replaceAll('seam_loyalty_partner', `seam_${this.names.postgres}`)
        .replaceAll('loyalty-partner', this.names.postgres);
    await this.world.clear(this.names, { postgres: ours(postgres), mariadb });
    this.note('cleared');
  }

  // ---- steps -----------------------------------------------------------------------------------------------------------

  async trade(): Promise<void> {
    let since = 0;
    for (const step of this.#plan.steps.filter(({ early }) => !early)) {
      if (Date.now() > this.limits.stepsUntilMs) return this.note(`no time for ${step.id} and what comes after it`);
      await this.#carryOut(step);
      since += 1;
      const isTrade = step.actions.every((action) => action.do === 'sql');
      if (!isTrade || since % 4 === 0) await this.rest(REST_MS_MAX, STILL_MS);
    }
  }

  async #carryOut(step: Step): Promise<void> {
    if (step.operation !== FIRST_ROWS) this.note(`${step.id} ${step.operation} on ${step.tables.join(', ')}`);
    for (const table of this.#plan.tables.filter(({ id }) => step.tables.includes(id)))
      if (step.actions.some((action) => isOnTarget(action, table))) this.#kept.forget(table.entity);
    this.done.push(step);
    for (const action of step.actions) {
      const answer = await this.act(action);
      if (answer !== undefined && answer.code !== 0 && action.do === 'seam' && action.mustEnd === true)
        this.find('command', step.tables, `seam ${action.args.join(' ')}: ${answer.out.trim().slice(-700)}`);
    }
    this.#met.push({
      operation: step.operation,
      tables: step.tables.filter((id) => this.#states.get(id) === 'mapped'),
    });
  }

  async act(action: Action): Promise<Answer | undefined> {
    switch (action.do) {
      case 'sql':
        await this.#sql(action.on, action.sql);
        return undefined;
      case 'seam':
        return this.command(action.args);
      case 'settle':
        await this.rest(REST_MS_MAX, STILL_MS);
        return undefined;
      case 'map':
        this.#states.set(action.table, 'mapped');
        await writeProject(this.#project);
        return undefined;
      case 'backup':
      case 'restore':
        await this.#closeSessions();
        await this.world[action.do](this.names);
        return undefined;
      case 'restart':
        if (action.what === 'workers') await this.#restartWorkers();
        else if (action.what === 'connectors') await this.#restartConnectors();
        else await this.#restartServer(action.what);
        return undefined;
    }
  }

  async #restartWorkers(): Promise<void> {
    await this.seam.stopWorkers();
    await this.seam.startWorkers();
  }

  /** New sessions of the connectors: what an owner set for a database counts from then on. */
  async #restartConnectors(): Promise<void> {
    for (const system of Object.values(this.names))
      await fetch(`${this.world.connectUrl}/connectors/seam-${system}/restart?includeTasks=true`, {
        method: 'POST',
      }).catch(() => {});
  }

  async #restartServer(what: 'kafka' | 'connect' | 'postgres' | 'mariadb'): Promise<void> {
    await this.#closeSessions();
    await this.world.restart(what);
  }

  async #closeSessions(): Promise<void> {
    for (const session of Object.values(this.#sessions ?? {})) await session.close().catch(() => {});
    this.#sessions = undefined;
  }

  async #sql(kind: Kind, sql: readonly string[]): Promise<void> {
    if (sql.length === 0) return;
    for (const refused of await runSql(kind, this.world.servers, this.names, sql))
      this.note(`refused by ${kind}: ${refused}`);
  }

  #commandMsMax(): number {
    const leftMs = Math.max(COMMAND_MS_MIN, this.limits.healUntilMs - Date.now());
    return Math.min(COMMAND_MS_MAX * this.world.slowness, leftMs);
  }

  async command(args: readonly string[]) {
    const own = args.map((part) => named(part, this.names));
    const answer = await this.seam.run(own, this.#commandMsMax());
    const tail =
      answer.code === 0
        ? ''
        : `\n${answer.out
            .trim()
            .split('\n')
            .slice(-12)
            .map((line) => `            ${line}`)
            .join('\n')}`;
    this.note(`seam ${args.join(' ')}: exit ${answer.code} after ${answer.seconds.toFixed(1)} s${tail}`);
    return answer;
  }

  // ---- looking ---------------------------------------------------------------------------------------------------------

  isTwin(table: TablePlan): boolean {
    return this.#plan.tables.find(({ entity }) => entity === table.entity) !== table;
  }

  listen(): Promise<Said[]> {
    return listen(this.seam, this.knowsStatus);
  }

  /** Of what was said what is about this table, or another of its entity; not, where more rows differ than it explains. */
  about(table: TablePlan, said: readonly Said[], unequal: number): Said[] {
    const same = this.mapped().filter(({ entity }) => entity === table.entity);
    return saidOf(same, this.names, said, this.#known, unequal);
  }

  mapped(): TablePlan[] {
    return this.#plan.tables.filter(({ id }) => this.#states.get(id) === 'mapped');
  }

  async #open(): Promise<Record<Kind, Session>> {
    this.#sessions ??= {
      postgres: await openSession('postgres', this.world.servers.postgres, this.names.postgres),
      mariadb: await openSession('mariadb', this.world.servers.mariadb, this.names.mariadb),
    };
    return this.#sessions;
  }

  /** By entity. */
  async compareAll(): Promise<Map<string, Compared>> {
    const sessions = await this.#open();
    const compared = new Map<string, Compared>();
    for (const [entity, tables] of Map.groupBy(this.mapped(), (table) => table.entity))
      compared.set(entity, await compare(tables, this.names, sessions));
    for (const [entity, found] of compared) this.#kept.note(entity, found);
    return compared;
  }

  #reportLost(entity: string, compared: Compared): void {
    const lost = this.#kept.lost(entity, compared);
    if (lost.length === 0) return;
    const ids = this.#plan.tables.filter((table) => table.entity === entity).map(({ id }) => id);
    this.find('deleted', ids, `${lost.length} rows went that the source holds: ${lost.slice(0, 4).join('; ')}`);
  }

  /** Until all is equal: no longer than `limitMs`, nor when nothing moved for `stillMs`, nor for what stood unequal before. */
  async rest(limitMs: number, stillMs: number): Promise<Map<string, Compared>> {
    const deadlineMs = Date.now() + limitMs * this.world.slowness;
    let before = '';
    let movedMs = Date.now();
    for (;;) {
      const compared = await this.compareAll();
      const unequal = [...compared].filter(
        ([, { differences, error }]) => differences.length > 0 || error !== undefined,
      );
      const picture = JSON.stringify(unequal.map(([entity, { differences, error }]) => [entity, error, differences]));
      if (picture !== before) movedMs = Date.now();
      before = picture;
      const isStill = Date.now() - movedMs > stillMs * this.world.slowness;
      const isKnown = unequal.every(([entity]) => this.known.has(entity));
      if (isStill || isKnown || Date.now() > deadlineMs) {
        this.known = new Set(unequal.map(([entity]) => entity));
        for (const [entity, found] of unequal) this.#reportLost(entity, found);
        return compared;
      }
      await pause(LOOK_EVERY_MS);
    }
  }

  find(kind: FindingKind, ids: readonly string[], text: string): void {
    const tables = this.#plan.tables.filter(({ id }) => ids.includes(id));
    const operations = this.done.filter(
      (step) => step.tables.some((id) => ids.includes(id)) && step.operation !== FIRST_ROWS,
    );
    const finding: Finding = {
      kind,
      tables: ids,
      features: [...new Set(tables.flatMap(({ features }) => features))],
      operations: [...new Set(operations.map(({ operation }) => operation))],
      text: named(text, this.names),
    };
    this.#findings.push(finding);
    this.note(`FINDING ${kind}: ${ids.join(', ')}: ${text}`);
  }
}

/** Somebody other than Seam writes into the table's target. */
function isOnTarget(action: Action, { target }: TablePlan): boolean {
  if (action.do === 'restore') return target.kind === 'postgres';
  const at = placed(target.kind, target.name);
  return action.do === 'sql' && action.on === target.kind && action.sql.some((sql) => sql.includes(at));
}

const isUnusual = (feature: string) => /shape:(?:odd|unique-long|versioned|no-grant|added|generated)/.test(feature);
