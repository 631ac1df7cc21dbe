import type { Command } from 'commander';
import { EXIT_CODES } from '../../core/errors.ts';
import type { TableResult, VerifyResult } from '../../ops/operations/verify.ts';
import { verifyDeployment } from '../../ops/operations/verify-deployment.ts';
import { chosenSystems, deploymentOf, withDeployment } from '../deployment-option.ts';
import { count, seconds } from '../number-option.ts';

type Options = { deployment: string; json?: boolean; patience: number; limit: number };

export function register(program: Command): void {
  withDeployment(program.command('verify'))
    .description('compare every target with what its sources and mappings say, by content; exit 0 equal, 3 different')
    .argument('[targets...]', 'targets, all when left out')
    .option('--patience <seconds>', 'how long a difference must stay before it counts', seconds, 15_000)
    .option('--limit <rows>', 'differences printed for each table', count, 20)
    .option('--json', 'print JSON')
    .action(async (names: string[], options: Options) => {
      const targets = chosenSystems(names).map(({ system }) => system);
      const result = await verifyDeployment(await deploymentOf(options), {
        targets: names.length === 0 ? [] : targets,
        patienceMs: options.patience,
        onPass: (pass, differing) => {
          if (differing > 0) process.stderr.write(`pass ${pass}: ${differing} differ, looking again\n`);
        },
      });
      process.stdout.write(options.json ? `${JSON.stringify(result)}\n` : verifyText(result, options.limit));
      process.exitCode = result.equal ? EXIT_CODES.done : EXIT_CODES.different;
    });
}

export function verifyText(result: VerifyResult, limit: number): string {
  const lines = result.tables.flatMap((table) => tableLines(table, limit));
  for (const [where, records] of Object.entries(result.refused)) lines.push(`refused: ${where}: ${records} rows`);
  for (const [where, records] of Object.entries(result.parked)) lines.push(`set aside: ${where}: ${records} records`);
  const open = result.tables.filter(({ notCompared }) => notCompared !== undefined).length;
  const verdict = result.equal
    ? 'equal'
    : [`${result.differences} differences`, open === 0 ? '' : `${open} tables not compared`]
        .filter((part) => part !== '')
        .join(', ');
  lines.push(
    `${verdict}: ${result.rowsCompared} rows compared in ${result.seconds.toFixed(1)} s, ${result.passes} passes`,
  );
  return `${lines.join('\n')}\n`;
}

function tableLines(table: TableResult, limit: number): string[] {
  if (table.notCompared !== undefined) {
    return [`? ${table.system} ${table.table} (${table.entity}): not compared: ${table.notCompared}`];
  }
  const mark = table.differences.length === 0 ? '✔' : '✘';
  const lines = [
    `${mark} ${table.system} ${table.table} (${table.entity}): ${table.rows} rows, ${table.differences.length} differ`,
  ];
  for (const difference of table.differences.slice(0, limit)) {
    const columns = difference.columns.length === 0 ? '' : `: ${difference.columns.join(', ')}`;
    lines.push(`    ${difference.kind} ${difference.key}${columns}`);
  }
  const left = table.differences.length - limit;
  if (left > 0) lines.push(`    … and ${left} more; --limit shows them`);
  return lines;
}
