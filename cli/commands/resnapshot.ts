import type { Command } from 'commander';
import {
  planResnapshot,
  type ResnapshotEvent,
  type ResnapshotPlan,
  type ResnapshotResult,
  resnapshot,
} from '../../ops/operations/resnapshot.ts';
import { ConfigError, EXIT_CODES, formatError, type SeamError } from '../../core/errors.ts';
import type { SweptEntity } from '../../ops/operations/sweep-tables.ts';
import { confirmed, deploymentOf, withDeployment } from '../deployment-option.ts';
import { bar, interruptible, openTerminal, type Terminal } from '../terminal.ts';

type Options = {
  deployment: string;
  system: string;
  table: string[];
  where?: string;
  sweep: boolean;
  delete?: string;
  reason: string;
  yes?: boolean;
  json?: boolean;
};

export const DELETE_OPTION =
  'delete up to so many keys that the source no longer has; needed for more than 100 of them, or more than 1 % of those held';

/** ConfigError where it is no whole number. */
export function deletionsOf(options: { readonly delete?: string }): number | undefined {
  if (options.delete === undefined) return undefined;
  if (/^\d{1,12}$/.test(options.delete)) return Number(options.delete);
  throw new ConfigError({
    code: 'OPTION_INVALID',
    message: '--delete takes a whole number',
    hint: 'the command that named the number of missing keys prints it',
  });
}

const collect = (table: string, known: string[]) => [...known, table];

export function register(program: Command): void {
  withDeployment(program.command('resnapshot'))
    .description('read tables of a source again while it streams, and take away what it no longer has')
    .requiredOption('--system <system>', 'source to read')
    .option(
      '--table <table>',
      'table as in its mapping; several times for several; all mapped ones when left out',
      collect,
      [],
    )
    .option('--where <condition>', 'SQL condition on the rows, valid for every table named')
    .option('--no-sweep', 'leave keys alone that the source no longer has')
    .option('--delete <keys>', DELETE_OPTION)
    .option('--reason <text>', 'why, for the record', '')
    .option('--yes', 'carry the plan out')
    .option('--json', 'print JSON')
    .action(async (options: Options) => {
      const deletionsMax = deletionsOf(options);
      const deployment = await deploymentOf(options);
      const plan = await planResnapshot(deployment, choiceOf(options));
      process.stdout.write(options.json ? `${JSON.stringify(plan)}\n` : planText(options.system, plan));
      if (!confirmed(options)) return;
      const terminal = openTerminal();
      try {
        const result = await interruptible((signal) =>
          resnapshot(
            deployment,
            plan,
            { system: options.system, deletionsMax },
            (event) => show(terminal, event),
            signal,
          ),
        );
        terminal.close();
        showResult(result, options);
      } finally {
        terminal.close();
      }
    });
}

function choiceOf({ system, table, where, sweep, reason }: Options) {
  return { system, tables: table, where, sweep, reason };
}

function planText(system: string, { request, isResumed, tables }: ResnapshotPlan): string {
  const lines = [
    isResumed ? `${system}: goes on with what ${request.by} asked for: ${request.id}` : `${system}: ${request.id}`,
    ...tables.map(({ table, rows }) => `  read ${table}: about ${rows} rows`),
  ];
  if (request.where !== undefined) lines.push(`  only rows where ${request.where}`);
  lines.push(
    '  asked of the database: SELECTs of about a thousand rows each, no lock; a few rows in seam.signal, removed in the end',
  );
  lines.push(
    request.sweep
      ? '  then: keys that the source no longer has are deleted in every target: up to 100 and up to 1 % of them, more with --delete'
      : '  keys that the source no longer has are left alone',
  );
  return `${lines.join('\n')}\n`;
}

export function show(terminal: Terminal, event: ResnapshotEvent): void {
  switch (event.kind) {
    case 'rows': {
      const total = Math.max(event.estimated, event.seen);
      terminal.live(`${bar(event.seen, total)} ${event.table}: about ${event.seen} of ${total} rows`);
      break;
    }
    case 'waits':
      terminal.line(event.text);
      break;
    case 'table':
      terminal.line(`${event.table}: ${event.rows} rows read`);
      break;
    case 'swept': {
      terminal.line(sweptText(event.swept));
    }
  }
}

function sweptText({ entity, tables, present, held, missing, deleted, excluded }: SweptEntity): string {
  const lines = [
    `${tables.join(', ')} (${entity}): ${present} keys in the source; of ${held} that were held it lacks ${missing}, ${deleted} deleted`,
  ];
  if (excluded > 0) {
    lines.push(`  ${excluded} stay whose rows the mapping leaves out: reading the table again says which went away`);
  }
  return lines.join('\n');
}

/** Exit code 5 where deletions wait to be confirmed, 1 where they can't be known. */
export function showResult(result: ResnapshotResult, { json }: { readonly json?: boolean }): void {
  const withheld = result.swept.flatMap((one) => (one.withheld === undefined ? [] : [one.withheld]));
  if (json) process.stdout.write(`${JSON.stringify(jsonOf(result))}\n`);
  else process.stdout.write(resultText(result));
  if (!json) for (const error of withheld) process.stderr.write(`${formatError(error)}\n`);
  if (withheld.length === 0) return;
  const isOnlyUnconfirmed = withheld.every(({ code }) => code === 'SWEEP_UNCONFIRMED');
  process.exitCode = isOnlyUnconfirmed ? EXIT_CODES.refused : EXIT_CODES.failed;
}

function jsonOf({ rows, swept }: ResnapshotResult) {
  const plain = ({ code, message, where, hint }: SeamError) => ({ code, message, where, hint });
  return {
    rows,
    swept: swept.map((one) => ({
      ...one,
      withheld: one.withheld === undefined ? undefined : plain(one.withheld),
    })),
  };
}

function resultText({ rows, swept }: ResnapshotResult): string {
  const read = Object.values(rows).reduce((sum, count) => sum + count, 0);
  const deleted = swept.reduce((sum, one) => sum + one.deleted, 0);
  return `${read} rows read, ${deleted} keys deleted\n  next: seam verify\n`;
}
