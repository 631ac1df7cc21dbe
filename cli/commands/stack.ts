import type { Command } from 'commander';
import { EXIT_CODES } from '../../core/errors.ts';
import { writeLocalDeployment } from '../../ops/local-deployment.ts';
import { followLogs, printLogs } from '../../stack/logs.ts';
import { defaultStateDirectory } from '../../stack/settings.ts';
import { expectedServices, readStack, type StackDescription, startStack, stopStack } from '../../stack/stack.ts';
import { count } from '../number-option.ts';
import { stackProgress } from '../stack-progress.ts';
import { interruptible, openTerminal, paint, seconds, table } from '../terminal.ts';

type Options = { stateDirectory: string };

export function register(program: Command): void {
  const stack = program
    .command('stack')
    .description('the local stack: Kafka, Connect, registry, one database per system');
  withState(stack.command('up'))
    .description('start what does not run yet, wait until it is ready, and write the deployment file')
    .option('--json', 'print the description of the stack as JSON')
    .action(up);
  withState(stack.command('down'))
    .description('stop everything; databases and topics stay, unless --remove-data')
    .option('--remove-data', 'also remove databases, topics and logs')
    .option('--yes', 'remove them without asking again')
    .action(down);
  withState(stack.command('status'))
    .description('what runs, and where; exit 0 when all of it runs, otherwise 1')
    .option('--json', 'print the description as JSON, with passwords; null when nothing runs')
    .action(status);
  withState(stack.command('logs'))
    .description('the end of the log files')
    .argument('[services...]', 'services as named by status, all when left out')
    .option('--lines <count>', 'lines of each', count, 20)
    .option('--follow', 'go on until Ctrl-C')
    .action(logs);
}

function withState(command: Command): Command {
  const directory = defaultStateDirectory(process.env);
  return command.option('--state-directory <directory>', 'where the stack keeps its state (SEAM_STATE)', directory);
}

async function up(options: Options & { json?: boolean }): Promise<void> {
  const startedAtMs = Date.now();
  const terminal = openTerminal();
  // Loaded here, because the other stack commands need none of the engines behind it.
  const { systems } = await import('../../ops/systems.ts');
  const databases = systems.map(({ system, database }) => ({ name: system, kind: database }));
  try {
    const { stateDirectory } = options;
    const progress = stackProgress(terminal);
    const description = await interruptible((signal) => startStack({ stateDirectory, databases, progress, signal }));
    const { file } = await writeLocalDeployment(description);
    terminal.line(`${paint.green('up')} in ${seconds(Date.now() - startedAtMs)}; deployment: ${file}`);
    if (options.json) process.stdout.write(`${JSON.stringify(description, null, 2)}\n`);
  } finally {
    terminal.close();
  }
}

async function down(options: Options & { removeData?: boolean; yes?: boolean }): Promise<void> {
  const { stateDirectory, removeData = false } = options;
  if (removeData && options.yes !== true) {
    process.stderr.write(`would stop the stack and remove ${stateDirectory} with all databases and topics in it\n`);
    process.stderr.write('nothing changed: pass --yes to do it\n');
    process.exitCode = EXIT_CODES.refused;
    return;
  }
  const startedAtMs = Date.now();
  const terminal = openTerminal();
  try {
    await stopStack({ stateDirectory, removeData, progress: stackProgress(terminal) });
    terminal.line(`down in ${seconds(Date.now() - startedAtMs)}${removeData ? '; its data is removed' : ''}`);
  } finally {
    terminal.close();
  }
}

async function status(options: Options & { json?: boolean }): Promise<void> {
  const description = await readStack(options.stateDirectory);
  const complete = description !== null && missingServices(description).length === 0;
  process.exitCode = complete ? EXIT_CODES.done : EXIT_CODES.failed;
  if (options.json) process.stdout.write(`${JSON.stringify(description, null, 2)}\n`);
  else process.stdout.write(description === null ? notRunning(options.stateDirectory) : statusTable(description));
}

const notRunning = (stateDirectory: string): string =>
  `not running\n  where: ${stateDirectory}\n  hint:  seam stack up\n`;

const missingServices = (description: StackDescription): string[] =>
  expectedServices(description)
    .map(({ name }) => name)
    .filter((name) => !description.processes.some((process) => process.name === name));

function statusTable(description: StackDescription): string {
  const rows = expectedServices(description).map(({ name, address }) => {
    const process = description.processes.find((candidate) => candidate.name === name);
    return [name, process === undefined ? 'stopped' : 'running', String(process?.pid ?? '-'), address];
  });
  const missing = missingServices(description);
  const hint = missing.length === 0 ? '' : `\n${missing.length} of ${rows.length} stopped; start them: seam stack up\n`;
  return `${table([['service', 'state', 'process', 'address'], ...rows])}${hint}`;
}

async function logs(services: string[], options: Options & { lines: number; follow?: boolean }): Promise<void> {
  const print = (line: string) => void process.stdout.write(`${line}\n`);
  const { stateDirectory } = options;
  await printLogs({ stateDirectory, services, lines: options.lines, print });
  if (options.follow) await interruptible((signal) => followLogs({ stateDirectory, services, print, signal }));
}
