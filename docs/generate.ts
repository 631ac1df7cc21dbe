/**
 * Writes docs/reference/ from the schemas, the commands and the errors in the code.
 *   node docs/generate.ts            writes the pages
 *   node docs/generate.ts --check    exit 3 when one of them is stale
 */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { reportFiles } from '../bench/report/write.ts';
import { EXIT_CODES } from '../core/errors.ts';
import { commandsPage } from './generator/commands.ts';
import { errorsPage } from './generator/errors.ts';
import { settingsPage } from './generator/settings.ts';
import { readSources } from './generator/source-files.ts';

const sources = readSources();
const pages: Readonly<Record<string, string>> = {
  'settings.md': settingsPage(sources),
  'errors.md': errorsPage(sources),
  'cli.md': await commandsPage(),
  ...(await benchmarkPages()),
};

/** From the figures that the last run left there. */
async function benchmarkPages(): Promise<Record<string, string>> {
  const files = await reportFiles(fileURLToPath(new URL('reference/benchmarks', import.meta.url)));
  return Object.fromEntries(Object.entries(files).map(([name, text]) => [`benchmarks/${name}`, text]));
}

for (const [name, text] of Object.entries(pages)) {
  const file = new URL(`reference/${name}`, import.meta.url);
  if (process.argv.includes('--check')) {
    if ((await readFile(file, 'utf8').catch(() => '')) === text) continue;
    process.stderr.write(`stale: docs/reference/${name}\n  hint:  npm run generate\n`);
    process.exitCode = EXIT_CODES.different;
  } else {
    await mkdir(new URL('.', file), { recursive: true });
    await writeFile(file, text);
  }
}
