import type { Command } from 'commander';
import { EXIT_CODES } from '../../core/errors.ts';
import type { FlowStatus } from '../../ops/status/flows.ts';
import { conditionText } from '../condition-lines.ts';
import { deploymentOf, withDeployment } from '../deployment-option.ts';
import { interruptible, table } from '../terminal.ts';

type Options = { deployment: string; json?: boolean };

export function register(program: Command): void {
  withDeployment(program.command('status'))
    .description('how every flow stands, and everything that is wrong, worst first; exit 0, or 3 if something is wrong')
    .option('--json', 'print JSON')
    .action(async (options: Options) => {
      const { readStatus } = await import('../../ops/status/status.ts');
      const deployment = await deploymentOf(options);
      const status = await interruptible((signal) => readStatus(deployment, signal));
      if (options.json) process.stdout.write(`${JSON.stringify(status)}\n`);
      else {
        process.stdout.write(table([HEADER, ...status.flows.map(cellsOf)]));
        for (const condition of status.conditions) process.stdout.write(`\n${conditionText(condition)}\n`);
      }
      if (status.conditions.length > 0) process.exitCode = EXIT_CODES.different;
    });
}

const HEADER = ['flow', 'state', 'reason', 'next'];

function cellsOf({ source, entity, target, state, conditions }: FlowStatus): string[] {
  const worst = conditions[0];
  const more = conditions.length > 1 ? ` and ${conditions.length - 1} more` : '';
  const reason = worst === undefined ? '' : `${worst.id}${more}`;
  return [`${source} → ${entity} → ${target}`, state, reason, worst?.next ?? ''];
}
