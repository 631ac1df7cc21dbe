#!/usr/bin/env node
/** The command line: one table of commands, one place where an error becomes text and an exit code. */
import { Command, CommanderError } from 'commander';
import { EXIT_CODES, exitCodeOf, formatError } from '../core/errors.ts';
import manifest from '../package.json' with { type: 'json' };
import { registerCommands } from './commands/index.ts';
import { InterruptedError } from './terminal.ts';

const program = new Command('seam')
  .description(manifest.description)
  .version(manifest.version)
  .exitOverride()
  .showHelpAfterError('(--help shows what there is)');

try {
  await registerCommands(program, process.argv.slice(2));
  await program.parseAsync();
} catch (error) {
  process.exitCode = exitCodeFor(error);
}

function exitCodeFor(error: unknown): number {
  // Commander has printed its own text already; help and version are no errors.
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT_CODES.done : EXIT_CODES.usage;
  if (error instanceof InterruptedError) {
    process.stderr.write('interrupted\n');
    return EXIT_CODES.interrupted;
  }
  process.stderr.write(`${formatError(error)}\n`);
  return exitCodeOf(error);
}
