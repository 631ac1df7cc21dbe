/**
 * The chain of six systems with a small shop's data, and its workers in the test's own process: for scenarios that look at
 * one thing beside live trade and need no week of history.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type Chain, closeChain, setUp, startServers } from '../../demo/chain.ts';
import { until } from '../../demo/day.ts';
import { loadHistory } from '../../demo/load.ts';
import { FIRST_LIVE_WEEK, readRetailData, type RetailData } from '../../demo/retail-data.ts';
import type { SourceMapping } from '../../core/mapping.ts';
import { applyConnectors, planConnectors } from '../../ops/operations/connectors.ts';
import { canonicalTopics, openLogAdmin } from '../../ops/log.ts';
import { startProcessors } from '../../ops/run/processors.ts';
import { type RunningWorker, startSink } from '../../ops/run/sink.ts';
import { systems } from '../../ops/systems.ts';
import { stopStack } from '../../stack/stack.ts';

const HISTORY_BASKETS = 30;
/** Enough for ten minutes of trade, and small ones, so that few products are needed. */
const LIVE_BASKETS = 1_000;
const LIVE_LINES_MAX = 6;
const PATIENCE_MS = 240_000;

export class SmallChain {
  readonly chain: Chain;
  readonly data: RetailData;
  readonly #stateDirectory: string;
  #processors: RunningWorker | undefined;
  readonly #sinks: RunningWorker[] = [];

  private constructor(chain: Chain, data: RetailData, stateDirectory: string) {
    this.chain = chain;
    this.data = data;
    this.#stateDirectory = stateDirectory;
  }

  /** Everything runs, and the history has arrived. */
  static async start(): Promise<SmallChain> {
    const stateDirectory = await mkdtemp(path.join(tmpdir(), 'seam-small-'));
    const servers = await startServers({ stateDirectory, ownerPid: process.pid });
    const chain = new SmallChain(servers, smallShop(), stateDirectory);
    await setUp(servers);
    await loadHistory(servers.sessions, chain.data);
    await chain.startProcessors();
    for (const { system, target } of systems) {
      if (target !== null) chain.#sinks.push(await startSink(servers.deployment, system));
    }
    const files = systems.flatMap(({ system, source }) =>
      source === null ? [] : [{ system, file: source.connectorFile }],
    );
    await applyConnectors(servers.deployment, await planConnectors(servers.deployment, files), PATIENCE_MS);
    await chain.#historyArrived();
    await chain.comeToRest();
    return chain;
  }

  async startProcessors(mappings?: SourceMapping[]): Promise<void> {
    this.#processors = await startProcessors(this.chain.deployment, undefined, mappings);
  }

  async stopProcessors(): Promise<void> {
    await this.#processors?.stop();
    await this.#processors?.done;
  }

  /** Nothing was added to the canonical topics for a while, and no sink has anything left to write or to try again. */
  async comeToRest(): Promise<void> {
    const admin = await openLogAdmin(this.chain.deployment);
    const end = async () => {
      let sum = 0n;
      for (const topic of await canonicalTopics(admin))
        for (const { latest } of await admin.bounds(topic)) sum += latest;
      return sum;
    };
    let before = -1n;
    let quiet = 0;
    const check = async () => {
      const now = await end();
      const isDone = this.#sinks.every((sink) => {
        const { lag = 0, waiting = 0 } = sink.status().gauges;
        return lag + waiting === 0;
      });
      quiet = now === before && isDone ? quiet + 1 : 0;
      before = now;
      return quiet >= 8;
    };
    await until('the canonical topics come to rest', PATIENCE_MS, new AbortController().signal, check).finally(() =>
      admin.close(),
    );
  }

  async stop(): Promise<void> {
    await this.stopProcessors();
    await Promise.all(this.#sinks.map((sink) => sink.stop()));
    await closeChain(this.chain);
    await stopStack({ stateDirectory: this.#stateDirectory, removeData: true });
    await rm(this.#stateDirectory, { recursive: true, force: true });
  }

  async #historyArrived(): Promise<void> {
    const { pos, reporting } = this.chain.sessions;
    const { signal } = new AbortController();
    await until('the history has arrived', PATIENCE_MS, signal, async () => {
      const [sold] = (await pos.query('SELECT COUNT(*) AS n FROM tlog_ln')) as { n: bigint }[];
      const arrived = await reporting.query('SELECT count(*) AS n FROM reporting.sale_line');
      return Number(sold?.n) === Number(arrived.rows[0]?.n);
    });
  }
}

function smallShop(): RetailData {
  const all = readRetailData();
  const history = all.baskets.filter(({ week }) => week < FIRST_LIVE_WEEK).slice(0, HISTORY_BASKETS);
  const isLive = ({ week, lines }: (typeof all.baskets)[number]) =>
    week >= FIRST_LIVE_WEEK && lines.length <= LIVE_LINES_MAX;
  const live = all.baskets.filter(isLive).slice(0, LIVE_BASKETS);
  const baskets = [...history, ...live];
  const sold = new Set(baskets.flatMap(({ lines }) => lines.map(({ productId }) => productId)));
  const members = new Set(baskets.map(({ householdId }) => householdId));
  return {
    ...all,
    baskets,
    products: all.products.filter(({ productId }) => sold.has(productId)),
    households: all.households.filter(({ householdId }) => members.has(householdId)),
  };
}
