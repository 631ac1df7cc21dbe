import type { Command } from 'commander';
import {
  planResnapshot,
  type ResnapshotEvent,
  type ResnapshotPlan,
  type ResnapshotResult,
  resnapshot,
} from '../../ops/operations/resnapshot.ts';
import { confirmed, deploymentOf, withDeployment } from '../deployment-option.ts';
import { bar, interruptible, openTerminal, type Terminal } from '../terminal.ts';

type Options = {
  deployment: string;
  system: string;
  table: string[];
  where?: string;
  sweep: boolean;
  reason: string;
  yes?: boolean;
  json?: boolean;
};

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
    .option('--reason <text>', 'why, for the record', '')
    .option('--yes', 'carry the plan out')
    .option('--json', 'print JSON')
    .action(async (options: Options) => {
      const deployment = await deploymentOf(options);
      const plan = await planResnapshot(deployment, choiceOf(options));
      process.stdout.write(options.json ? `${JSON.stringify(plan)}\n` : planText(options.system, plan));
      if (!confirmed(options)) return;
      const terminal = openTerminal();
      try {
        const result = await interruptible((signal) =>
          resnapshot(deployment, plan, options, (event) => show(terminal, event), signal),
        );
        terminal.close();
        process.stdout.write(options.json ? `${JSON.stringify(result)}\n` : resultText(result));
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
      ? '  then: keys that the source no longer has are deleted in every target'
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
      const { entity, present, deleted } = event.swept;
      terminal.line(
        `${event.table} (${entity}): ${present} keys in the source, ${deleted} deleted that it no longer has`,
      );
    }
  }
}

export function resultText({ rows, swept }: ResnapshotResult): string {
  const read = Object.values(rows).reduce((sum, count) => sum + count, 0);
  const deleted = swept.reduce((sum, one) => sum + one.deleted, 0);
  return `${read} rows read, ${deleted} keys deleted\n  next: seam verify\n`;
}
