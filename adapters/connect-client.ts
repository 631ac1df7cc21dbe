/** Kafka Connect's REST API: the calls Seam needs, with its errors turned into ours in this one place. */
import { ContractError, TransientError } from '../core/errors.ts';
import { shownUrl } from '../core/shown-url.ts';

export type ConnectorConfig = Readonly<Record<string, string>>;
export type ConnectorState = 'RUNNING' | 'FAILED' | 'PAUSED' | 'UNASSIGNED' | 'RESTARTING' | 'STOPPED';
export type ConnectorStatus = {
  readonly name: string;
  readonly connector: { readonly state: ConnectorState; readonly trace?: string };
  readonly tasks: readonly { readonly id: number; readonly state: ConnectorState; readonly trace?: string }[];
};
export type ValidationFault = { readonly setting: string; readonly errors: readonly string[] };

const REQUEST_TIMEOUT_MS = 30_000;
const REBALANCING = 409;

export class ConnectClient {
  readonly #url: string;

  constructor(url: string) {
    this.#url = url.replace(/\/$/, '');
  }

  /** null when there is no connector of this name. */
  async config(name: string): Promise<ConnectorConfig | null> {
    return this.#request<ConnectorConfig>('GET', `/connectors/${name}/config`);
  }

  async status(name: string): Promise<ConnectorStatus | null> {
    return this.#request<ConnectorStatus>('GET', `/connectors/${name}/status`);
  }

  async names(): Promise<readonly string[]> {
    return (await this.#request<string[]>('GET', '/connectors')) ?? [];
  }

  async put(name: string, config: ConnectorConfig): Promise<void> {
    await this.#request('PUT', `/connectors/${name}/config`, config);
  }

  /** A new connector that does not start by itself: `resume` starts it. */
  async createStopped(name: string, config: ConnectorConfig): Promise<void> {
    await this.#request('POST', '/connectors', { name, config, initial_state: 'STOPPED' });
  }

  async remove(name: string): Promise<void> {
    await this.#request('DELETE', `/connectors/${name}`);
  }

  /** Ends its tasks; the connector and its offsets stay. Done when `status` says STOPPED and no task is left. */
  async stop(name: string): Promise<void> {
    await this.#request('PUT', `/connectors/${name}/stop`);
  }

  async resume(name: string): Promise<void> {
    await this.#request('PUT', `/connectors/${name}/resume`);
  }

  /** As the connector wrote them; empty where it has none yet. */
  async offsets(name: string): Promise<readonly Readonly<Record<string, unknown>>[]> {
    type Answer = { offsets: { offset: Record<string, unknown> }[] };
    const answer = await this.#request<Answer>('GET', `/connectors/${name}/offsets`);
    return (answer?.offsets ?? []).map(({ offset }) => offset);
  }

  /** Forgets how far it has read; only of a stopped connector. */
  async forgetOffsets(name: string): Promise<void> {
    await this.#request('DELETE', `/connectors/${name}/offsets`);
  }

  async restartFailed(name: string): Promise<void> {
    await this.#request('POST', `/connectors/${name}/restart?includeTasks=true&onlyFailed=true`);
  }

  async validate(config: ConnectorConfig): Promise<readonly ValidationFault[]> {
    const plugin = config['connector.class'] ?? '';
    type Answer = { configs: { value: { name: string; errors: string[] } }[] };
    const answer = await this.#request<Answer>('PUT', `/connector-plugins/${plugin}/config/validate`, config);
    return (answer?.configs ?? [])
      .filter(({ value }) => value.errors.length > 0)
      .map(({ value }) => ({ setting: value.name, errors: value.errors }));
  }

  async #request<T>(method: string, path: string, body?: unknown): Promise<T | null> {
    const response = await this.#send(method, path, body);
    if (response.status === 404) return null;
    const text = await response.text();
    if (response.ok) return text === '' ? null : (JSON.parse(text) as T);
    const parts = {
      message: `kafka connect refused ${method} ${path}: ${messageOf(text)}`,
      where: shownUrl(this.#url),
    };
    if (response.status === REBALANCING || response.status >= 500) {
      throw new TransientError({
        code: 'CONNECT_UNAVAILABLE',
        ...parts,
        hint: 'wait until it runs, then run the same command again; of the local stack, its log: seam stack logs connect',
      });
    }
    throw new ContractError({ code: 'CONNECT_REFUSED', ...parts });
  }

  async #send(method: string, path: string, body: unknown): Promise<Response> {
    try {
      return await fetch(`${this.#url}${path}`, {
        method,
        signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
        ...(body === undefined ? {} : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
      });
    } catch (cause) {
      throw new TransientError({
        code: 'CONNECT_UNREACHABLE',
        message: 'kafka connect does not answer',
        where: shownUrl(this.#url),
        hint: 'start it, or correct connect.url in the deployment file; of the local stack: seam stack up',
        cause,
      });
    }
  }
}

function messageOf(text: string): string {
  try {
    return ((JSON.parse(text) as { message?: string }).message ?? text).split('\n')[0] ?? '';
  } catch {
    return text.slice(0, 200);
  }
}
