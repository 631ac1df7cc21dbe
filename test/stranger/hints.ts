/** What Seam's own texts tell people to do: commands of Seam, and statements of an owner. Both are done word for word. */

type Text = { readonly text: string };

/** Commands of Seam in what was said, as they stand there. */
export function commandsIn(texts: readonly Text[]): string[][] {
  const found = new Map<string, string[]>();
  for (const { text } of texts) {
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

/** `as the table's owner: ALTER …; then: seam …`: the statements. */
export function ownersStatementsIn(texts: readonly Text[]): string[] {
  const found = texts.flatMap(({ text }) =>
    [...text.matchAll(/\bas the \w+'s owner: (.*)/g)].flatMap(([, told = '']) =>
      told
        .split(/;|, then | \((?:PostgreSQL|MariaDB)/)
        .map((statement) => statement.trim())
        .filter((statement) => /^(?:ALTER|GRANT|SET|CREATE) /.test(statement)),
    ),
  );
  return [...new Set(found)];
}
