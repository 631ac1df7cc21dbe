import type { Command } from 'commander';
import { ConnectClient } from '../../adapters/connect-client.ts';
import type { Condition } from '../../core/condition.ts';
import type { Deployment } from '../../core/deployment.ts';
import { EXIT_CODES, formatError } from '../../core/errors.ts';
import { type ConnectorView, connectorViews } from '../../ops/operations/connector-status.ts';
import { applyConnectors, type ConnectorFile, planConnectors } from '../../ops/operations/connectors.ts';
import { proveFirstSnapshot } from '../../ops/operations/first-snapshot-proof.ts';
import { connectorName } from '../../ops/sources/look.ts';
import { planRecovery, type RecoveryPlan, recover } from '../../ops/operations/recover.ts';
import { rawTopic } from '../../processors/topics.ts';
import { reportedConditions } from '../../ops/status/status.ts';
import { conditionText } from '../condition-lines.ts';
import { createTopics, missingTopics } from '../../ops/operations/topics.ts';
import { chosenSystems, confirmed, deploymentOf, withDeployment } from '../deployment-option.ts';
import { interruptible, openTerminal } from '../terminal.ts';
import { DELETE_OPTION, deletionsOf, show, showResult } from './resnapshot.ts';

type Options = { deployment: string; yes?: boolean; json?: boolean };

export function register(program: Command): void {
  const connectors = program.command('connectors').description('capture connectors in Kafka Connect');
  withDeployment(connectors.command('apply'))
    .description('make Kafka Connect run what connectors/<system>/connector.json says; prints the difference first')
    .argument('[systems...]', 'systems, all when left out')
    .option('--yes', 'apply the difference')
    .option('--json', 'print the plan as JSON')
    .action(apply);
  withDeployment(connectors.command('status'))
    .description('does every connector run, can its source still be read to the end, and which tables does nobody read')
    .argument('[systems...]', 'systems, all when left out')
    .option('--json', 'print JSON')
    .action(async (names: string[], options: Options) => {
      const deployment = await deploymentOf(options);
      const [found, reported] = await Promise.all([
        connectorViews(deployment, chosenSystems(names)),
        reportedConditions(deployment),
      ]);
      const views = found.map((view) => ({ ...view, conditions: [...view.conditions, ...ofTopics(view, reported)] }));
      process.stdout.write(options.json ? `${JSON.stringify(views)}\n` : views.map(viewText).join(''));
      const isWrong = views.some(({ fault, conditions }) => fault !== undefined || conditions.length > 0);
      if (isWrong) process.exitCode = EXIT_CODES.different;
    });
  withDeployment(connectors.command('restart'))
    .description('start failed connectors and tasks again, where they stopped')
    .argument('[systems...]', 'systems, all when left out')
    .action(async (names: string[], options: Options) => {
      const deployment = await deploymentOf(options);
      const client = new ConnectClient(deployment.connect.url);
      for (const { system } of connectorFiles(names)) await client.restartFailed(connectorName(system));
    });
  withDeployment(connectors.command('recover'))
    .description(
      'start a source again whose log was lost, reset or replaced: reads all of it again, and sweeps what is gone',
    )
    .argument('<system>', 'source')
    .option('--delete <keys>', DELETE_OPTION)
    .option('--reason <text>', 'why, for the record', '')
    .option('--yes', 'carry the plan out')
    .option('--json', 'print JSON')
    .action(async (system: string, options: Options & { reason: string; delete?: string }) => {
      const deletionsMax = deletionsOf(options);
      const deployment = await deploymentOf(options);
      const plan = await planRecovery(deployment, system);
      process.stdout.write(options.json ? `${JSON.stringify(plan)}\n` : recoveryText(plan));
      if (!confirmed(options)) return;
      const terminal = openTerminal();
      try {
        const result = await interruptible((signal) =>
          recover(deployment, plan, options.reason, (event) => show(terminal, event), signal, { deletionsMax }),
        );
        terminal.close();
        showResult(result, options);
      } finally {
        terminal.close();
      }
    });
}

async function apply(names: string[], options: Options): Promise<void> {
  const deployment = await deploymentOf(options);
  const plans = await planConnectors(deployment, connectorFiles(names));
  const topics = await missingTopics(deployment);
  if (options.json) process.stdout.write(`${JSON.stringify(plans)}\n`);
  else process.stdout.write(`${plans.map(planText).join('')}${topicsText(topics)}`);
  const isDone = topics.length === 0 && plans.every(({ action }) => action === 'unchanged');
  if (isDone && options.yes !== true) return;
  if (!confirmed(options)) return;
  // Connect would make the topics itself, with its own idea of how long they keep what
  await createTopics(deployment);
  await applyConnectors(deployment, plans);
  await proveAll(
    deployment,
    plans.map(({ system }) => system),
  );
  process.stdout.write('all connectors run\n');
}

/** Topics of the system that stand for another reason than what was found in the source itself. */
function ofTopics({ system, conditions }: ConnectorView, reported: readonly Condition[]): readonly Condition[] {
  const known = new Set(conditions.map(({ id }) => id));
  return reported.filter(
    ({ id, object }) => object.kind === 'topic' && object.topic.startsWith(rawTopic(system, '')) && !known.has(id),
  );
}

/** Of connectors that an earlier release started: once, and only said where it takes time or finds something. */
async function proveAll(deployment: Deployment, names: readonly string[]): Promise<void> {
  const terminal = openTerminal();
  await interruptible(async (signal) => {
    for (const system of names) await proveFirstSnapshot(deployment, system, (text) => terminal.line(text), signal);
  });
}

function viewText({ name, state, tasks, fault, conditions, notCaptured }: ConnectorView): string {
  const lines = [`${name}: ${state}, tasks: ${tasks.join(', ') || 'none'}`];
  const isShown = conditions.some(({ id }) => id === fault?.code);
  if (fault !== undefined && !isShown) lines.push(formatError(fault).replaceAll(/^/gm, '  '));
  for (const condition of conditions) lines.push(conditionText(condition).replaceAll(/^/gm, '  '));
  if (notCaptured === undefined) lines.push('  tables that nobody reads: not known without an administrator');
  else if (notCaptured.length > 0) lines.push(`  read by nobody: ${notCaptured.join(', ')}`);
  return `${lines.join('\n')}\n`;
}

function recoveryText({ system, reasons, identity, epoch, tables, connector }: RecoveryPlan): string {
  const known = reasons.length === 0 ? ['no check finds anything wrong, and its connector has not failed'] : reasons;
  const lines = [
    ...known.map((reason) => `${system}: ${reason}`),
    `  stop ${connector.name}, and forget how far it has read`,
    `  start it again on ${identity}, with positions of epoch ${epoch}`,
    `  it reads again, before it streams: ${tables.join(', ')}`,
    '  then: keys that the source no longer has are deleted in every target: up to 100 and up to 1 % of them, more with --delete',
    '  asked of the database: one snapshot without locks that keep writers out; a replication slot of the same name, where it has slots',
  ];
  return `${lines.join('\n')}\n`;
}

function connectorFiles(names: readonly string[]): ConnectorFile[] {
  return chosenSystems(names).flatMap(({ system, source }) =>
    source === null ? [] : [{ system, file: source.connectorFile }],
  );
}

function topicsText(topics: readonly string[]): string {
  return topics.length === 0 ? '' : `topics: create ${topics.join(', ')}\n`;
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
