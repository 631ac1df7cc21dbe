/** What every service of the stack tells about itself. One file per kind of service; nothing else knows its settings. */
import type { Account } from '../account.ts';
import type { ComponentDirectories } from '../artifacts.ts';
import type { StackSettings } from '../settings.ts';
import type { ServiceCommand } from '../supervisor.ts';

export type Service = {
  name: string;
  /** For people: where it listens. */
  address: string;
  /** The ports it binds, by their name in the state file. */
  portNames: readonly string[];
  readyLimitMs: number;
  /** Lays down configuration and data. Idempotent: runs before every start. */
  prepare(): Promise<void>;
  command(): ServiceCommand;
  /** Resolves only when the service does its real work; rejects otherwise. */
  probe(): Promise<void>;
};

export type ServiceContext = {
  stateDirectory: string;
  secretsDirectory: string;
  settings: StackSettings;
  java: string;
  components: ComponentDirectories;
  ports: Readonly<Record<string, number>>;
  /** Set when the starter is root. */
  account: Account | undefined;
};

export function portOf(context: ServiceContext, name: string): number {
  const port = context.ports[name];
  if (port === undefined) throw new Error(`no port was chosen for ${name}`);
  return port;
}

export function componentOf(context: ServiceContext, name: Parameters<ComponentDirectories['get']>[0]): string {
  const directory = context.components.get(name);
  if (directory === undefined) throw new Error(`component ${name} was not fetched`);
  return directory;
}

/** `key=value` lines, as Kafka and its relatives read them. A backslash starts an escape there: Windows paths have them. */
export function toProperties(settings: Readonly<Record<string, string | number | boolean>>): string {
  const lines = Object.entries(settings).map(([key, value]) => `${key}=${String(value).replaceAll('\\', '\\\\')}`);
  return `${lines.join('\n')}\n`;
}

export const probeTimeoutMs = 3_000;
