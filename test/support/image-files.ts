/** What each stage of the Dockerfile holds, and what the programs that run there open: imports and files next to them. */
import { existsSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, posix } from 'node:path';

export type Stage = {
  readonly name: string;
  /** Paths in the repository that are there, folders or files; those of the stage it starts from too. */
  readonly copied: readonly string[];
  /** Programs of the repository that it runs. */
  readonly programs: readonly string[];
};

export function stagesOf(dockerfile: string): readonly Stage[] {
  const stages: Stage[] = [];
  for (const part of dockerfile.split(/^(?=FROM )/m).slice(1)) {
    const [, base, name = ''] = /^FROM (\S+) AS (\S+)$/m.exec(part) ?? [];
    const parent = stages.find((stage) => stage.name === base);
    const copies = [...part.matchAll(/^COPY (?!--from)(.+) (\S+)$/gm)];
    const copied = copies.flatMap(([, sources = '']) => sources.split(' '));
    const programs = [...part.matchAll(/\bnode"?,? "?([\w./-]+\.ts)\b/g)].map(([, file]) => file as string);
    stages.push({ name, copied: [...(parent?.copied ?? []), ...copied], programs });
  }
  return stages;
}

/** `file → what it names`, for everything that a program reaches and the stage does not hold. */
export function missingIn(root: string, stage: Stage, programs = stage.programs): readonly string[] {
  const missing: string[] = [];
  const seen = new Set<string>();
  const look = (file: string, from: string) => {
    if (seen.has(file)) return;
    seen.add(file);
    if (!stage.copied.some((path) => file === path || file.startsWith(`${path}/`))) missing.push(`${from} → ${file}`);
    else if (file.endsWith('.ts')) for (const next of namedBy(root, file)) look(next, file);
  };
  for (const program of programs) look(program, stage.name);
  return missing;
}

/** Packages that a program reaches, whatever holds them. */
export function packagesOf(root: string, programs: readonly string[]): ReadonlySet<string> {
  const packages = new Set<string>();
  const seen = new Set<string>();
  const look = (file: string) => {
    if (seen.has(file) || !file.endsWith('.ts')) return;
    seen.add(file);
    for (const name of importsOf(root, file)) {
      if (name.startsWith('.')) look(posix.join(dirname(file), name));
      else if (!name.startsWith('node:')) packages.add(/^(?:@[^/]+\/)?[^/]+/.exec(name)?.[0] ?? name);
    }
  };
  for (const program of programs) look(program);
  return packages;
}

function importsOf(root: string, file: string): string[] {
  const text = readFileSync(join(root, file), 'utf8');
  const code = text.replaceAll(/^import type .*? from .*$/gm, '').replaceAll(/^import type \{[^}]*\} from .*$/gm, '');
  const found = code.matchAll(/^(?:import|export)\b[^;'"]*?\bfrom '([^']+)'|^import '([^']+)'|\bimport\('([^']+)'\)/gm);
  return [...found].map(([, from, bare, dynamic]) => (from ?? bare ?? dynamic) as string);
}

/** Imports, and files that are opened by a place relative to this one. */
function namedBy(root: string, file: string): string[] {
  const text = readFileSync(join(root, file), 'utf8');
  const imported = importsOf(root, file).filter((name) => name.startsWith('.'));
  const opened = [...text.matchAll(/new URL\(\s*'(\.[^'$]*)',\s*import\.meta\.url/g)].map(([, name]) => name as string);
  const places = [...imported, ...opened].map((name) => posix.join(dirname(file), name).replace(/\/$/, ''));
  // a folder whose files are found at run time counts by its files, which the folder's own COPY brings
  return places.filter((place) => !existsSync(join(root, place)) || statSync(join(root, place)).isFile());
}
