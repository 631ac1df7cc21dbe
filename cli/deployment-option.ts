import type { Command } from 'commander';
import { readDeployment } from '../adapters/deployment-file.ts';
import type { Deployment } from '../core/deployment.ts';
import { ConfigError } from '../core/errors.ts';
import { type System, systemNamed, systems } from '../ops/systems.ts';

export const DEFAULT_DEPLOYMENT_FILE = '.seam/stack/deployment.json';

/** Adds `--deployment FILE`; the environment's SEAM_DEPLOYMENT is the default where it is set. */
export function withDeployment(command: Command): Command {
  return command.option(
    '--deployment <file>',
    'where everything runs',
    process.env.SEAM_DEPLOYMENT ?? DEFAULT_DEPLOYMENT_FILE,
  );
}

export async function deploymentOf(options: { deployment: string }): Promise<Deployment> {
  return readDeployment(options.deployment);
}

/** The systems named, or all; an unknown name is refused with the names there are. */
export function chosenSystems(names: readonly string[]): readonly System[] {
  if (names.length === 0) return systems;
  return names.map((name) => {
    const system = systemNamed(name);
    if (system !== undefined) return system;
    throw new ConfigError({
      code: 'SYSTEM_UNKNOWN',
      message: `no system ${name}`,
      hint: `known: ${systems.map((known) => known.system).join(', ')}`,
    });
  });
}

/** A command that changes something has printed its plan by now; without --yes it stops here, with exit code 5. */
export function confirmed(options: { yes?: boolean }): boolean {
  if (options.yes === true) return true;
  process.stderr.write('nothing changed: pass --yes to apply this plan\n');
  process.exitCode = 5;
  return false;
}
