/**
 * The settings that the local stack gives its servers, taken from the code that starts them: the containers get the same,
 * so nobody writes them twice.
 */
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ComponentName } from '../stack/components.ts';
import { connectService } from '../stack/services/connect.ts';
import { kafkaService } from '../stack/services/kafka.ts';
import { mariadbComponent, mariadbService } from '../stack/services/mariadb.ts';
import { registryService } from '../stack/services/registry.ts';
import type { Service, ServiceContext } from '../stack/services/service.ts';
import { readStackSettings } from '../stack/settings.ts';
import { pluginComponents, pluginDirectory } from './plugins.ts';

export type Properties = ReadonlyMap<string, string>;

export type LocalSettings = {
  readonly kafka: Properties;
  readonly connect: Properties;
  readonly connectLogging: string;
  /** Command lines, program left out. */
  readonly registry: readonly string[];
  readonly mariadb: readonly string[];
  readonly postgres: Properties;
  readonly initdb: readonly string[];
};

const ports = { kafka: 9092, 'kafka-controller': 9093, connect: 8083, registry: 8080, 'mariadb-system': 3306 };

export async function readLocalSettings(): Promise<LocalSettings> {
  const directory = await mkdtemp(join(tmpdir(), 'seam-settings-'));
  try {
    const context = contextIn(directory);
    const broker = kafkaService(context);
    const worker = connectService(context);
    // A formatted log directory: the broker's settings are then written without starting Java.
    await mkdir(join(directory, 'kafka', 'log'), { recursive: true });
    await writeFile(join(directory, 'kafka', 'log', 'meta.properties'), '');
    await broker.prepare();
    await worker.prepare();
    const postgres = await readFile(new URL('../stack/services/postgres.ts', import.meta.url), 'utf8');
    return {
      kafka: parseProperties(await readFile(join(directory, 'kafka', 'server.properties'), 'utf8')),
      connect: parseProperties(await readFile(join(directory, 'connect', 'connect.properties'), 'utf8')),
      connectLogging: await readFile(join(directory, 'connect', 'log4j2.yaml'), 'utf8'),
      registry: argumentsOf(registryService(context)),
      mariadb: argumentsOf(mariadbService(context, { name: 'system', kind: 'mariadb', adminPassword: '' }, 0)),
      postgres: parseProperties(block(postgres, 'serverSettings = `', '`')),
      initdb: [...block(postgres, 'initdbOptions = [', ']').matchAll(/[`'](--[^`']+)[`']/g)].map(
        ([, option]) => option as string,
      ),
    };
  } finally {
    await rm(directory, { recursive: true });
  }
}

function contextIn(directory: string): ServiceContext {
  const components = new Map<ComponentName, string>(pluginComponents.map((name) => [name, pluginDirectory(name)]));
  for (const name of ['kafka', 'registry', mariadbComponent()] as const) components.set(name, `/${name}`);
  return {
    stateDirectory: directory,
    secretsDirectory: join(directory, 'secrets'),
    settings: readStackSettings({}),
    java: 'java',
    components,
    ports,
    account: undefined,
  };
}

function argumentsOf(service: Service): readonly string[] {
  return service.command().args;
}

/** `key=value` or `key = value` lines; a quoted value loses its quotes. */
export function parseProperties(text: string): Map<string, string> {
  const properties = new Map<string, string>();
  for (const line of text.split('\n')) {
    const [, key, value] = /^\s*([^#=\s]+)\s*=\s*(.*?)\s*$/.exec(line) ?? [];
    if (key !== undefined && value !== undefined) properties.set(key, value.replace(/^'(.*)'$/, '$1'));
  }
  return properties;
}

function block(text: string, from: string, to: string): string {
  const start = text.indexOf(from);
  const end = text.indexOf(to, start + from.length);
  if (start < 0 || end < 0) throw new Error(`stack/services/postgres.ts has no "${from}"`);
  return text.slice(start + from.length, end);
}
