/** The program's own source: what runs, without tests and without what only writes documentation. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export type SourceFile = { readonly file: string; readonly text: string };

const root = join(import.meta.dirname, '..', '..');
const folders = ['adapters', 'avro', 'cli', 'connectors', 'core', 'demo', 'ops', 'processors', 'sinks', 'stack'];

export function readSources(): SourceFile[] {
  return folders.flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts'))
      .map((name) => `${folder}/${name.replaceAll('\\', '/')}`)
      .sort()
      .map((file) => ({ file, text: readFileSync(join(root, file), 'utf8') })),
  );
}
