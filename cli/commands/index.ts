/**
 * The one table of commands: parser, help and reference are made from it. A command is a file and a line here.
 * A file is loaded when its command is called, or when help shows all: so `stack status` does not wait for every engine.
 */
import type { Command } from 'commander';

export type CommandModule = { register(program: Command): void };
export type CommandEntry = { name: string; load(): Promise<CommandModule> };

/** In the order in which help shows them: the order in which a newcomer needs them. */
export const commands: readonly CommandEntry[] = [
  { name: 'stack', load: () => import('./stack.ts') },
  { name: 'setup', load: () => import('./setup.ts') },
  { name: 'connectors', load: () => import('./connectors.ts') },
  { name: 'run', load: () => import('./run.ts') },
  { name: 'status', load: () => import('./status.ts') },
  { name: 'resnapshot', load: () => import('./resnapshot.ts') },
  { name: 'verify', load: () => import('./verify.ts') },
  { name: 'replay', load: () => import('./replay.ts') },
  { name: 'dead-letter', load: () => import('./dead-letter.ts') },
];

export async function registerCommands(program: Command, args: readonly string[]): Promise<void> {
  const called = commands.filter(({ name }) => name === args[0]);
  const modules = await Promise.all((called.length > 0 ? called : commands).map(({ load }) => load()));
  for (const module of modules) module.register(program);
}
