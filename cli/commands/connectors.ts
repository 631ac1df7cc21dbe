import type { Command } from 'commander';
import { ConnectClient } from '../../adapters/connect-client.ts';
import { applyConnectors, type ConnectorFile, planConnectors } from '../../ops/operations/connectors.ts';
import { createTopics } from '../../ops/operations/topics.ts';
import { chosenSystems, confirmed, deploymentOf, withDeployment } from '../deployment-option.ts';

type Options = { deployment: string; yes?: boolean; json?: boolean };

export function register(program: Command): void {
  const connectors = program.command('connectors').description('capture connectors in Kafka Connect');
  withDeployment(connectors.command('apply'))
    .description('make Kafka Connect run what connectors/<system>/connector.json says; prints the difference first')
    .argument('[systems...]', 'systems, all when left out')
    .option('--yes', 'apply the difference')
    .option('--json', 'print the plan as JSON')
    .action(async (names: string[], options: Options) => {
      const deployment = await deploymentOf(options);
      const plans = await planConnectors(deployment, connectorFiles(names));
      if (options.json) process.stdout.write(`${JSON.stringify(plans)}\n`);
      else for (const plan of plans) process.stdout.write(planText(plan));
      if (plans.every((plan) => plan.action === 'unchanged') || !confirmed(options)) return;
      // Connect would make the topics itself, with its own idea of how long they keep what
      await createTopics(deployment);
      await applyConnectors(deployment, plans);
      process.stdout.write('all connectors run\n');
    });
  withDeployment(connectors.command('status'))
    .description('state of every connector and task')
    .option('--json', 'print JSON')
    .action(async (options: Options) => {
      const client = new ConnectClient((await deploymentOf(options)).connect.url);
      const statuses = await Promise.all((await client.names()).map((name) => client.status(name)));
      if (options.json) process.stdout.write(`${JSON.stringify(statuses)}\n`);
      else {
        for (const status of statuses) {
          const tasks = status?.tasks.map((task) => task.state).join(', ');
          process.stdout.write(`${status?.name}: ${status?.connector.state}, tasks: ${tasks || 'none'}\n`);
        }
      }
    });
  withDeployment(connectors.command('restart'))
    .description('start failed connectors and tasks again, where they stopped')
    .argument('[systems...]', 'systems, all when left out')
    .action(async (names: string[], options: Options) => {
      const deployment = await deploymentOf(options);
      const client = new ConnectClient(deployment.connect.url);
      const plans = await planConnectors(deployment, connectorFiles(names));
      for (const plan of plans) await client.restartFailed(plan.name);
    });
}

function connectorFiles(names: readonly string[]): ConnectorFile[] {
  return chosenSystems(names).flatMap(({ system, source }) =>
    source === null ? [] : [{ system, file: source.connectorFile }],
  );
}

function planText(plan: {
  name: string;
  action: string;
  changes: readonly { setting: string; from: string | null; to: string | null }[];
}): string {
  const lines = plan.changes.map(({ setting, from, to }) => {
    if (from === null) return `  + ${setting} = ${to}`;
    return to === null ? `  - ${setting} = ${from}` : `  ~ ${setting}: ${from} -> ${to}`;
  });
  return `${plan.name}: ${plan.action}\n${lines.map((line) => `${line}\n`).join('')}`;
}
