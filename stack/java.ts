/** Finds a Java of the right age, or says in one line how to get it. */
import { execFile } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';
import { ConfigError } from '../core/errors.ts';
import type { StackSettings } from './settings.ts';
import versions from './versions.json' with { type: 'json' };

const installLines: Readonly<Record<string, string>> = {
  darwin: 'brew install openjdk@21',
  win32: 'winget install EclipseAdoptium.Temurin.21.JDK',
  linux: 'apt-get install openjdk-17-jre-headless   (Fedora, RHEL: dnf install java-21-openjdk-headless)',
};

export type Java = { file: string; major: number };

export async function findJava(settings: Pick<StackSettings, 'javaHome' | 'baseEnvironment'>): Promise<Java> {
  const { javaHome, baseEnvironment } = settings;
  const file = javaHome === undefined ? 'java' : path.join(javaHome, 'bin', 'java');
  const where = javaHome === undefined ? 'java on the PATH' : `JAVA_HOME=${javaHome}`;
  const text = await versionText(file, baseEnvironment);
  if (text === null) throw noJava('no Java found', where);
  const major = parseJavaMajor(text);
  if (major === null) throw noJava('the version of Java cannot be read', where);
  if (major < versions.javaMajorMin) throw noJava(`Java ${major} is too old`, where);
  return { file, major };
}

/** `"17.0.15"` → 17, `"21"` → 21, `"25-ea"` → 25, and the old way of counting: `"1.8.0_392"` → 8. */
export function parseJavaMajor(text: string): number | null {
  const [, first, second] = /version "(\d+)(?:\.(\d+))?/.exec(text) ?? [];
  if (first === undefined) return null;
  return first === '1' && second !== undefined ? Number(second) : Number(first);
}

async function versionText(file: string, env: Record<string, string>): Promise<string | null> {
  try {
    const { stdout, stderr } = await promisify(execFile)(file, ['-version'], { env });
    return stderr + stdout;
  } catch {
    return null;
  }
}

function noJava(message: string, where: string): ConfigError {
  return new ConfigError({
    code: 'JAVA_MISSING',
    message: `${message}: the stack needs a JDK or JRE ${versions.javaMajorMin} or newer`,
    where,
    hint: installLines[process.platform] ?? 'https://adoptium.net',
  });
}
