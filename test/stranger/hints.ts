/** The commands that Seam's own texts name, and how a person runs them. */
import type { Block } from './said.ts';

/** Commands of Seam in what was said, as they stand there. */
export function commandsIn(blocks: readonly Block[]): string[][] {
  const found = new Map<string, string[]>();
  for (const { text } of blocks) {
    for (const [, command = ''] of text.matchAll(
      /\bseam ((?:[a-z-]+)(?: (?:--?[\w-]+|'[^']*'|"[^"]*"|[^\s,;"'`)\\]+))*)/g,
    )) {
      const args = (command.match(/'[^']*'|"[^"]*"|\S+/g) ?? []).map((part) =>
        part.replace(/^['"]|['"]$/g, '').replace(/[.:]$/, ''),
      );
      if (KNOWN.has(args[0] ?? '')) found.set(args.join(' '), args);
    }
  }
  return [...found.values()];
}

const KNOWN = new Set(['connectors', 'resnapshot', 'dead-letter', 'setup', 'replay', 'run']);

/** A person who follows a hint agrees to its plan, and gives a reason where one is asked for. */
export function agreed(args: readonly string[]): string[] {
  const [verb = '', noun = ''] = args;
  const changes = ['resnapshot', 'setup'].includes(verb) || ['apply', 'recover', 'retry', 'discard'].includes(noun);
  const withYes = changes && !args.includes('--yes') ? ['--yes'] : [];
  const withReason = noun === 'discard' && !args.includes('--reason') ? ['--reason', 'stranger'] : [];
  return [...args, ...withReason, ...withYes];
}
