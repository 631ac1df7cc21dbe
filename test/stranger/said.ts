/**
 * What Seam says of a table, wherever a person looks: `connectors status`, `status`, dead letters, the workers' own words. Texts
 * are matched by the names that the table has in them; a complaint about a whole source or target is one about its tables.
 */
import { type Kind, type Names, named, SCHEMA, dotted, type TablePlan } from './plan.ts';
import { entityOf } from './project.ts';
import type { Seam } from './seam.ts';

export type Block = { readonly where: string; readonly text: string };

/** Lines that begin a complaint, as against those that only describe. */
const COMPLAINT = /FAILED|\[[A-Z]+(?:_[A-Z]+)+\]|hint:|next:|refused|halt|stopped|✘|"level":(?:40|50|60)|error/i;
const DESCRIPTION = /read by nobody|tables that nobody reads/;

export async function listen(seam: Seam, knowsStatus: boolean): Promise<Block[]> {
  const blocks: Block[] = [];
  const places = [['connectors', 'status'], ['dead-letter', 'list'], ...(knowsStatus ? [['status']] : [])];
  const answers = await Promise.all(places.map((args) => seam.run(args)));
  for (const { args, out } of answers) blocks.push(...blocksOf(args.join(' '), out));
  for (const [where, text] of await seam.words()) {
    const lines = text.split('\n').filter((line) => line !== '');
    const unique = new Set(lines.map((line) => line.replaceAll(/"time":"[^"]*"/g, '')));
    for (const line of [...unique].slice(-200)) blocks.push({ where, text: line });
  }
  return blocks.filter(({ text }) => COMPLAINT.test(text));
}

/** A line, with what is indented below it. */
export function blocksOf(where: string, out: string): Block[] {
  const blocks: string[] = [];
  for (const line of out.split('\n')) {
    if (line.trim() === '' || DESCRIPTION.test(line)) continue;
    if (/^\s/.test(line) && blocks.length > 0) blocks[blocks.length - 1] += `\n${line}`;
    else blocks.push(line);
  }
  return blocks.map((text) => ({ where, text }));
}

export function saidOf(table: TablePlan, names: Names, blocks: readonly Block[]): Block[] {
  const words = wordsOf(table, names).map(wordOf);
  const source = new RegExp(`^(?:seam-)?${names[table.kind]}\\b|source ${names[table.kind]}\\b`);
  return blocks.filter(
    ({ where, text }) =>
      words.some((word) => word.test(text)) ||
      source.test(text) ||
      (where === `sink-${names[table.target.kind]}` && !namesATable(text, names)),
  );
}

/** Of a sink that stands without a word about a table: all its tables stand. */
function namesATable(text: string, names: Names): boolean {
  return (
    [...Object.values(SCHEMA)].some((schema) => text.includes(`${named(schema, names)}.`)) ||
    text.includes('canonical.')
  );
}

function wordsOf(table: TablePlan, names: Names): string[] {
  const at = (kind: Kind, name: string) => named(dotted(kind, name), names);
  return [at(table.kind, table.name), at(table.target.kind, table.target.name), entityOf(table, names)];
}

/** Of a command's output the part that begins with its error: a plan before it names every table. */
export function complaintOf(out: string): string {
  const lines = out.split('\n');
  const first = lines.findIndex((line) => /^\S.*\[[A-Z][A-Z_0-9]+\]\s*$/.test(line));
  return first < 0 ? '' : lines.slice(first).join('\n');
}

export function namesTable(text: string, table: string): boolean {
  return wordOf(table).test(text);
}

const wordOf = (word: string) => new RegExp(`(?<![\\w-])${escaped(word)}(?![\\w-])`);
const escaped = (text: string) => text.replaceAll(/[\\^$.*+?()[\]{}|]/g, '\\$&');
