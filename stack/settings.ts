/** Everything the stack takes from the environment, read here and nowhere else. */
import { homedir } from 'node:os';
import path from 'node:path';

export type KafkaListener = { name: 'workers' | 'connect'; port: number; advertisedPort: number };

export type StackSettings = {
  /** Per-user folder of fetched and unpacked artifacts. `SEAM_CACHE`. */
  cacheDirectory: string;
  /** Base URL of a Maven repository: Maven Central, or a company mirror. `SEAM_MAVEN_URL`. */
  mavenUrl: string;
  /** `JAVA_HOME`, when set. */
  javaHome: string | undefined;
  /** How the servers' Java code is compiled: for minutes, or for hours. */
  javaPace: 'quick' | 'sustained';
  /** For fault tests: further doors into the broker, each told to clients as the port of a proxy before it. */
  kafkaListeners?: readonly KafkaListener[];
  /** Handed to every service: `PATH`, and what the platform itself needs. */
  baseEnvironment: Record<string, string>;
};

type Environment = Readonly<Record<string, string | undefined>>;

const mavenCentral = 'https://repo.maven.apache.org/maven2';
const inherited = ['PATH', 'HOME', 'TMPDIR', 'SystemRoot', 'TEMP', 'TMP', 'DYLD_LIBRARY_PATH', 'LD_LIBRARY_PATH'];

export function readStackSettings(environment: Environment): StackSettings {
  const baseEnvironment: Record<string, string> = { LANG: 'C.UTF-8', TZ: 'UTC' };
  for (const name of inherited) {
    const value = environment[name];
    if (value !== undefined) baseEnvironment[name] = value;
  }
  return {
    cacheDirectory: path.resolve(environment.SEAM_CACHE || defaultCacheDirectory(environment)),
    mavenUrl: (environment.SEAM_MAVEN_URL || mavenCentral).replace(/\/+$/, ''),
    javaHome: environment.JAVA_HOME || undefined,
    javaPace: environment.SEAM_JAVA === 'sustained' ? 'sustained' : 'quick',
    baseEnvironment,
  };
}

/** Of this process. */
export function currentStackSettings(): StackSettings {
  return readStackSettings(process.env);
}

export function defaultStateDirectory(environment: Environment): string {
  return path.resolve(environment.SEAM_STATE || path.join('.seam', 'stack'));
}

function defaultCacheDirectory(environment: Environment): string {
  if (environment.XDG_CACHE_HOME) return path.join(environment.XDG_CACHE_HOME, 'seam');
  if (process.platform === 'darwin') return path.join(homedir(), 'Library', 'Caches', 'seam');
  if (process.platform === 'win32') return path.join(environment.LOCALAPPDATA ?? homedir(), 'seam', 'cache');
  return path.join(homedir(), '.cache', 'seam');
}
