/** docs/reference/cli.md: every command, from the program that parses them. */
import { Command, type Option } from 'commander';
import { registerCommands } from '../../cli/commands/index.ts';
import { DEFAULT_DEPLOYMENT_FILE } from '../../cli/deployment-option.ts';
import { EXIT_CODES } from '../../core/errors.ts';
import { code, generatedNotice, prose, table } from './markdown.ts';

/** Defaults that depend on where and by whom this is run. */
const defaults: Readonly<Record<string, string>> = {
  '--deployment': DEFAULT_DEPLOYMENT_FILE,
  '--state-directory': '.seam/stack',
};

const exitCodes: Readonly<Record<keyof typeof EXIT_CODES, string>> = {
  done: 'done',
  failed: 'failed: a record, a contract or an assertion; the message says which',
  usage: 'wrong arguments or configuration: nothing was started',
  different: 'looked, and found differences',
  refused: 'would change something, and `--yes` was not given',
  unreachable: 'something that is needed does not answer',
  interrupted: 'stopped by ctrl-c',
};

export async function commandsPage(): Promise<string> {
  const program = new Command('seam');
  await registerCommands(program, []);
  const sections = program.commands.flatMap((command) => sectionsOf(command, 'seam'));
  const codes = Object.entries(EXIT_CODES).map(([name, value]) => [
    String(value),
    exitCodes[name as keyof typeof EXIT_CODES],
  ]);
  return [
    generatedNotice,
    '# Commands\n\nRun them as `npm run seam -- COMMAND`. A command that changes something prints its plan, and changes\n',
    'nothing without `--yes`. Results go to standard output, progress and errors to standard error.\n\n',
    `## Exit codes\n\n${table(['code', 'meaning'], codes)}`,
    ...sections,
  ].join('');
}

function sectionsOf(command: Command, parent: string): string[] {
  const name = `${parent} ${command.name()}`;
  const children = command.commands.flatMap((child) => sectionsOf(child, name));
  const own = section(command, name, parent === 'seam' ? '##' : '###');
  return [own, ...children];
}

function section(command: Command, name: string, heading: string): string {
  const usage = [name, ...command.registeredArguments.map(argumentText), command.options.length > 0 ? '[options]' : ''];
  const rows = [
    ...command.registeredArguments.map((argument) => [code(argumentText(argument)), '', argument.description]),
    ...command.options
      .filter((option) => !option.hidden)
      .map((option) => [code(option.flags), defaultText(option), option.description]),
  ];
  const text = `\n${heading} ${name}\n\n${prose(command.description())}.\n`;
  if (rows.length === 0) return text;
  return `${text}\n\`\`\`\n${usage.filter((part) => part !== '').join(' ')}\n\`\`\`\n\n${table(['', 'default', 'meaning'], rows)}`;
}

function argumentText(argument: { name(): string; required: boolean; variadic: boolean }): string {
  const name = `${argument.name()}${argument.variadic ? '...' : ''}`;
  return argument.required ? `<${name}>` : `[${name}]`;
}

function defaultText(option: Option): string {
  const value = defaults[option.long ?? ''] ?? option.defaultValue;
  return value === undefined ? '' : code(String(value));
}
