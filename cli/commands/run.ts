import { join, resolve } from 'node:path';
import { type Command, Option } from 'commander';
import { CrashPoints } from '../../ops/run/crash-points.ts';
import type { RunningWorker } from '../../ops/run/sink.ts';
import { workerCommands } from '../../ops/worker-commands.ts';
import { type WorkerStatus, WorkerSupervisor } from '../../ops/workers.ts';
import { deploymentOf, withDeployment } from '../deployment-option.ts';
import { interruptible } from '../terminal.ts';

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
      await runWorker(await startConnectors(await deploymentOf(command.optsWithGlobals())));
    });
  withDeployment(run.command('processors'))
    .addOption(crashDirectory())
    .description('change events to canonical records, and the steps between systems')
    .action(async (_options: unknown, command: Command) => {
      const { startProcessors } = await import('../../ops/run/processors.ts');
      const options = command.optsWithGlobals<WorkerOptions>();
      await runWorker(await startProcessors(await deploymentOf(options), crashPointsOf(options, 'processors')));
    });
  withDeployment(run.command('sink'))
    .addOption(crashDirectory())
    .description('canonical records into one target system')
    .argument('<target>', 'system to write to')
    .action(async (target: string, _options: unknown, command: Command) => {
      const { startSink } = await import('../../ops/run/sink.ts');
      const options = command.optsWithGlobals<WorkerOptions>();
      await runWorker(await startSink(await deploymentOf(options), target, crashPointsOf(options, `sink-${target}`)));
    });
}

function crashPointsOf({ crashDirectory }: WorkerOptions, worker: string): CrashPoints | undefined {
  return crashDirectory === undefined ? undefined : new CrashPoints(join(crashDirectory, worker));
}

/** One worker in this process. Tells its status to a supervisor, if there is one, and stops when that one is gone. */
async function runWorker(worker: RunningWorker): Promise<void> {
  const stopping = new AbortController();
  const stop = () => {
    stopping.abort();
    void worker.stop();
  };
  process.once('SIGINT', stop).once('SIGTERM', stop).once('disconnect', stop);
  const report = () => process.send?.(worker.status() satisfies WorkerStatus);
  report();
  const timer = setInterval(report, STATUS_EVERY_MS);
  try {
    await worker.done;
  } finally {
    clearInterval(timer);
    // what was counted last must arrive, and an open channel would keep this process
    if (process.connected) {
      report();
      process.disconnect?.();
    }
  }
}

async function runAll(options: Options): Promise<void> {
  const supervisor = new WorkerSupervisor({
    deploymentFile: resolve(options.deployment),
    logDirectory: options.logDirectory,
    environment: process.env,
  });
  await interruptible(async (signal) => {
    const ended = new Promise<void>((done) => signal.addEventListener('abort', () => done(), { once: true }));
    try {
      await supervisor.start(workerCommands());
      process.stdout.write(
        `${supervisor.views().length} workers run; logs: ${options.logDirectory}; ctrl-c stops them\n`,
      );
      await ended;
    } finally {
      await supervisor.stop();
    }
  });
}
