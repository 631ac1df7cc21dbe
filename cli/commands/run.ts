import { join, resolve } from 'node:path';
import { type Command, Option } from 'commander';
import { CrashPoints } from '../../ops/run/crash-points.ts';
import type { Deployment } from '../../core/deployment.ts';
import type { RunningWorker } from '../../ops/run/sink.ts';
import { workerCommands } from '../../ops/worker-commands.ts';
import { type WorkerFailure, type WorkerReport, WorkerSupervisor } from '../../ops/workers.ts';
import { deploymentOf, withDeployment } from '../deployment-option.ts';
import { showConditions } from '../condition-lines.ts';
import { interruptible, openTerminal } from '../terminal.ts';

const STATUS_EVERY_MS = 500;

type Options = { deployment: string; logDirectory: string };
type WorkerOptions = { deployment: string; crashDirectory?: string };

/** For fault tests alone, so no help mentions it: ops/run/crash-points.ts. */
const crashDirectory = () => new Option('--crash-directory <directory>').hideHelp();

export function register(program: Command): void {
  const run = program.command('run').description('run workers until ctrl-c');
  withDeployment(run)
    .option('--log-directory <directory>', "where the workers' logs go", '.seam/logs')
    .action(async (options: Options) => {
      await deploymentOf(options);
      await runAll(options);
    });
  withDeployment(run.command('connectors'))
    .description('watch the connectors, and start again what failed')
    .action(async (_options: unknown, command: Command) => {
      const { startConnectors } = await import('../../ops/run/connectors.ts');
      const deployment = await deploymentOf(command.optsWithGlobals());
      await runWorker('connectors', deployment, () => startConnectors(deployment));
    });
  withDeployment(run.command('processors'))
    .addOption(crashDirectory())
    .description('change events to canonical records, and the steps between systems')
    .action(async (_options: unknown, command: Command) => {
      const { startProcessors } = await import('../../ops/run/processors.ts');
      const options = command.optsWithGlobals<WorkerOptions>();
      const deployment = await deploymentOf(options);
      await runWorker('processors', deployment, () =>
        startProcessors(deployment, crashPointsOf(options, 'processors')),
      );
    });
  withDeployment(run.command('sink'))
    .addOption(crashDirectory())
    .description('canonical records into one target system')
    .argument('<target>', 'system to write to')
    .action(async (target: string, _options: unknown, command: Command) => {
      const { startSink } = await import('../../ops/run/sink.ts');
      const options = command.optsWithGlobals<WorkerOptions>();
      const deployment = await deploymentOf(options);
      const name = `sink-${target}`;
      await runWorker(name, deployment, () => startSink(deployment, target, crashPointsOf(options, name)));
    });
}

function crashPointsOf({ crashDirectory }: WorkerOptions, worker: string): CrashPoints | undefined {
  return crashDirectory === undefined ? undefined : new CrashPoints(join(crashDirectory, worker));
}

/**
 * One worker in this process. Reports to a supervisor, if there is one, from its start on, and stops when that one is gone. Its conditions
 * are published from before the start, so that a worker that cannot start says why.
 */
async function runWorker(name: string, deployment: Deployment, start: () => Promise<RunningWorker>): Promise<void> {
  const { PublishedWorker } = await import('../../ops/status/published-worker.ts');
  const published = new PublishedWorker(deployment, name);
  const report = () => process.send?.(published.report() satisfies WorkerReport);
  let timer: NodeJS.Timeout | undefined;
  try {
    const worker = await start();
    published.runs(worker);
    const stop = () => void worker.stop();
    process.once('SIGINT', stop).once('SIGTERM', stop).once('disconnect', stop);
    report();
    timer = setInterval(report, STATUS_EVERY_MS);
    await worker.done;
    // what was counted last must arrive
    report();
    await published.stopped();
  } catch (error) {
    const failure = await published.failed(error);
    process.send?.({ failure } satisfies WorkerFailure);
    throw error;
  } finally {
    clearInterval(timer);
    // an open channel would keep this process
    if (process.connected) process.disconnect?.();
  }
}

async function runAll(options: Options): Promise<void> {
  const supervisor = new WorkerSupervisor({
    deploymentFile: resolve(options.deployment),
    logDirectory: options.logDirectory,
    environment: process.env,
  });
  const terminal = openTerminal(process.stdout);
  await interruptible(async (signal) => {
    const ended = new Promise<void>((done) => signal.addEventListener('abort', () => done(), { once: true }));
    const watching = showConditions(supervisor, (line) => terminal.line(line), signal);
    try {
      await supervisor.start(workerCommands());
      terminal.line(`${supervisor.views().length} workers run; logs: ${options.logDirectory}; ctrl-c stops them`);
      await Promise.race([ended, watching]);
    } finally {
      await supervisor.stop();
    }
  });
}
