/**
 * The schema registry. Registering goes through the Confluent client; it checks the schema's compatibility there. Looking
 * up reads the answer itself: the client hands out a compiled type, and compiling drops `connect.name`, without which a
 * raw column's meaning is lost.
 */
import confluent from '@kafkajs/confluent-schema-registry';
import type { EntityName } from '../avro/generated/records.ts';
import { schemaOf } from '../avro/index.ts';
import { ConfigError, ContractError, type SeamError, TransientError } from '../core/errors.ts';
import { shownUrl } from '../core/shown-url.ts';
import type { Clock } from '../core/ports.ts';

export type RegistrySettings = {
  /** Confluent-compatible base, e.g. `http://localhost:8080/apis/ccompat/v7`. */
  readonly url: string;
  readonly attemptsMax?: number;
  /** Pause before the second attempt; it doubles up to `pauseMsMax`. */
  readonly pauseMs?: number;
  readonly pauseMsMax?: number;
  readonly requestTimeoutMs?: number;
};

const COMPATIBILITY = 'BACKWARD';
const CONFLICT_ATTEMPTS_MAX = 3;
const STATUS = {
  notFound: 404,
  timeout: 408,
  conflict: 409,
  unprocessable: 422,
  tooMany: 429,
  serverError: 500,
} as const;

/** An answer of the registry that is no success. No answer at all is any other error. */
class RefusedRequest extends Error {
  readonly status: number;
  /** The registry's own number; none where something else answered, e.g. at a wrong path. */
  readonly registryCode: number | undefined;
  constructor(status: number, message: string, registryCode?: number) {
    super(message);
    this.status = status;
    this.registryCode = registryCode;
  }
}

export class Registry {
  readonly #settings: Required<RegistrySettings>;
  readonly #clock: Clock;
  readonly #client: InstanceType<typeof confluent.SchemaRegistry>;
  readonly #schemas = new Map<number, string>();
  readonly #loading = new Map<number, Promise<string>>();

  constructor(settings: RegistrySettings, clock: Clock) {
    const defaults = { attemptsMax: 8, pauseMs: 200, pauseMsMax: 5_000, requestTimeoutMs: 5_000 };
    this.#settings = { ...defaults, ...settings, url: settings.url.replace(/\/+$/, '') };
    this.#clock = clock;
    this.#client = new confluent.SchemaRegistry({ host: this.#settings.url, retry: { retries: 0 } });
  }

  /** Registers avro/<entity>.avsc for `canonical.<entity>` and answers its id. ContractError where it may not replace the last. */
  registerCanonical(entity: EntityName): Promise<number> {
    return this.register(`canonical.${entity}-value`, schemaOf(entity));
  }

  async register(subject: string, schema: string): Promise<number> {
    // first: a registry set to check nothing would take any schema, and the client refuses to touch such a subject
    await this.#attempt(`set compatibility of ${subject}`, () => this.#setCompatibility(subject));
    const id = await this.#attempt(`register ${subject}`, () => this.#register(subject, schema));
    this.#schemas.set(id, schema);
    return id;
  }

  /** The schema that a record was written with. Loaded once; ContractError UNKNOWN_SCHEMA_ID where the registry has none. */
  async writerSchema(id: number): Promise<string> {
    const known = this.#schemas.get(id);
    if (known !== undefined) return known;
    const loading = this.#loading.get(id) ?? this.#load(id).finally(() => this.#loading.delete(id));
    this.#loading.set(id, loading);
    return loading;
  }

  /** Loads the schemas of a batch, so that decoding it needs no promise per record. */
  async load(ids: Iterable<number>): Promise<void> {
    const missing = [...ids].filter((id) => !this.#schemas.has(id));
    await Promise.all(missing.map((id) => this.writerSchema(id)));
  }

  /** What was loaded, at once: for the codecs. */
  readonly lookup = (id: number): string | undefined => this.#schemas.get(id);

  async #load(id: number): Promise<string> {
    const answer = await this.#attempt(`load schema ${id}`, () => this.#request(`/schemas/ids/${id}`));
    const { schema } = answer as { schema: string };
    this.#schemas.set(id, schema);
    return schema;
  }

  async #setCompatibility(subject: string): Promise<void> {
    const path = `/config/${encodeURIComponent(subject)}`;
    await this.#request(path, { method: 'PUT', body: JSON.stringify({ compatibility: COMPATIBILITY }) });
  }

  async #register(subject: string, schema: string): Promise<number> {
    const { SchemaType } = confluent;
    try {
      const registered = await within(
        this.#settings.requestTimeoutMs,
        this.#client.register({ type: SchemaType.AVRO, schema }, { subject }),
      );
      return registered.id;
    } catch (error) {
      const status = (error as { status?: unknown }).status;
      // the client answers 400 also where nothing answered at all
      if (typeof status !== 'number' || status === 400) throw error;
      throw new RefusedRequest(status, (error as Error).message);
    }
  }

  async #request(path: string, init: RequestInit = {}): Promise<unknown> {
    const response = await fetch(`${this.#settings.url}${path}`, {
      ...init,
      headers: { accept: 'application/json', 'content-type': 'application/json' },
      signal: AbortSignal.timeout(this.#settings.requestTimeoutMs),
    });
    const body = (await response.json().catch(() => ({}))) as { message?: string; error_code?: number };
    if (!response.ok) {
      throw new RefusedRequest(response.status, body.message ?? `status ${response.status}`, body.error_code);
    }
    return body;
  }

  async #attempt<T>(what: string, run: () => Promise<T>): Promise<T> {
    const { attemptsMax, pauseMs, pauseMsMax } = this.#settings;
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await run();
      } catch (error) {
        const refused = error instanceof RefusedRequest ? this.#refusal(what, attempt, error) : undefined;
        if (refused !== undefined) throw refused;
        if (attempt >= attemptsMax) throw this.#unreachable(what, attempt, error);
        await this.#clock.pause(Math.min(pauseMs * 2 ** (attempt - 1), pauseMsMax));
      }
    }
  }

  /** undefined: worth another attempt. */
  #refusal(what: string, attempt: number, { status, message, registryCode }: RefusedRequest): SeamError | undefined {
    const where = shownUrl(this.#settings.url);
    if (status >= STATUS.serverError || status === STATUS.timeout || status === STATUS.tooMany) return undefined;
    if (status === STATUS.notFound && registryCode !== undefined) {
      // a registry that has just started answers before it has read its own storage to the end
      if (attempt < this.#settings.attemptsMax) return undefined;
      return new ContractError({
        code: 'UNKNOWN_SCHEMA_ID',
        message: `can't ${what}: the registry doesn't know it`,
        where,
        hint: 'the registry lost its storage or is another one than the writer used: restore it, never renumber',
      });
    }
    // two workers that start at once meet in the registry: the later one is told of a conflict that is none
    if (status === STATUS.conflict && attempt < CONFLICT_ATTEMPTS_MAX) return undefined;
    if (status === STATUS.conflict || status === STATUS.unprocessable) {
      return new ContractError({
        code: 'SCHEMA_INCOMPATIBLE',
        message: `can't ${what}: ${message}`,
        where,
        hint: 'only add or drop nullable fields with a default; anything else is a new topic',
      });
    }
    return new ConfigError({
      code: 'REGISTRY_REFUSED',
      message: `can't ${what}: status ${status}`,
      where,
      hint: 'check the address, which ends in /apis/ccompat/v7 for Apicurio, and the access rights',
    });
  }

  #unreachable(what: string, attempts: number, cause: unknown): TransientError {
    return new TransientError({
      code: 'REGISTRY_UNREACHABLE',
      message: `can't ${what}: no answer after ${attempts} attempts`,
      where: shownUrl(this.#settings.url),
      hint: 'start the registry, then start this worker again; nothing was committed',
      cause,
    });
  }
}

async function within<T>(limitMs: number, work: Promise<T>): Promise<T> {
  const signal = AbortSignal.timeout(limitMs);
  return Promise.race([
    work,
    new Promise<never>((_, reject) => signal.addEventListener('abort', () => reject(signal.reason), { once: true })),
  ]);
}
