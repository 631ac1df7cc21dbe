import { systems } from './systems.ts';

/** All workers of a deployment: name → arguments of `seam run`. */
export function workerCommands(): Record<string, readonly string[]> {
  const commands: Record<string, readonly string[]> = {
    connectors: ['connectors'],
    processors: ['processors'],
  };
  for (const { system, target } of systems) if (target !== null) commands[`sink-${system}`] = ['sink', system];
  return commands;
}
