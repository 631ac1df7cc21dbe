/**
 * Java files of this repository → a jar. Eclipse's compiler is one jar, so a Java runtime is enough: no JDK, no build tool. A
 * jar is written here too, since a runtime has no program for it.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { InvariantError } from '../core/errors.ts';
import { runProgram } from './run-program.ts';
import { storedZip } from './zip.ts';

export type Compilation = {
  readonly java: string;
  /** Of the compiler. */
  readonly compilerJar: string;
  /** Folders of jars that the sources use. */
  readonly libraries: readonly string[];
  readonly sources: string;
  readonly jar: string;
  readonly env: Record<string, string>;
};

/** To be changed with anything here that changes the jar. */
const recipe = ['--release', '17', '-encoding', 'UTF-8', '-proc:none', '-nowarn'];

export function sourcesFolder(name: string): string {
  return path.join(import.meta.dirname, name);
}

/** Changes when a source file or the way of compiling does. */
export function sourcesText(folder: string): string {
  const files = javaFiles(folder).map((file) => `${path.basename(file)}\n${readFileSync(file, 'utf8')}`);
  return [recipe.join(' '), ...files].join('\n');
}

export async function compile({ java, compilerJar, libraries, sources, jar, env }: Compilation): Promise<void> {
  const output = await mkdtemp(path.join(tmpdir(), 'seam-classes-'));
  try {
    const jars = await Promise.all(libraries.map(jarsIn));
    const classPath = jars.flat().join(path.delimiter);
    const args = ['-jar', compilerJar, ...compilerArguments(sources), '-classpath', classPath, '-d', output];
    await runProgram(java, args, { cwd: output, env });
    await packClasses(output, jar);
  } finally {
    await rm(output, { recursive: true, force: true });
  }
}

/** All but the class path and where the classes go. */
export function compilerArguments(sources: string): readonly string[] {
  return [...recipe, ...javaFiles(sources)];
}

export const compiledJar = (javaSources: string): string => `seam-${javaSources}.jar`;

export async function packClasses(folder: string, jar: string): Promise<void> {
  const found = await readdir(folder, { recursive: true });
  const names = found.filter((name) => name.endsWith('.class')).sort();
  if (names.length === 0) throw new InvariantError({ code: 'NOTHING_COMPILED', message: `no class in ${folder}` });
  const entries = names.map(async (name) => ({
    name: name.replaceAll(path.sep, '/'),
    content: await readFile(path.join(folder, name)),
  }));
  await writeFile(jar, storedZip(await Promise.all(entries)));
}

function javaFiles(folder: string): string[] {
  const names = readdirSync(folder).filter((name) => name.endsWith('.java'));
  return names.sort().map((name) => path.join(folder, name));
}

async function jarsIn(folder: string): Promise<string[]> {
  const names = (await readdir(folder)).filter((name) => name.endsWith('.jar'));
  return names.sort().map((name) => path.join(folder, name));
}
