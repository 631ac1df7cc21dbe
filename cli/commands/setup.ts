import type { Command } from 'commander';
import { applySetup, hasAdmin, planSetup } from '../../ops/operations/setup.ts';
import { chosenSystems, confirmed, deploymentOf, withDeployment } from '../deployment-option.ts';

type Options = { deployment: string; legacySchema?: boolean; yes?: boolean };

export function register(program: Command): void {
  const setup = program
    .command('setup')
    .description('what Seam asks of each database: users, publication, side schema');
  withDeployment(setup.command('plan'))
    .description('print the SQL that would be run; changes nothing')
    .argument('[systems...]', 'systems, all when left out')
    .option('--legacy-schema', "also the legacy applications' own tables, where a database is empty (demo, tests)")
    .action(async (names: string[], options: Options) => {
      const deployment = await deploymentOf(options);
      for (const system of chosenSystems(names)) {
        const plan = await planSetup(deployment, system, options.legacySchema ?? false);
        if (!hasAdmin(deployment, plan.system)) process.stdout.write(forOwner(plan.system));
        for (const script of plan.scripts) process.stdout.write(`-- ${plan.system}: ${script.name}\n${script.text}\n`);
        if (plan.done) process.stdout.write(`-- ${plan.system}: nothing to do\n`);
      }
    });
  withDeployment(setup.command('apply'))
    .description('run it, as the administrator named in the deployment file')
    .argument('[systems...]', 'systems, all when left out')
    .option('--legacy-schema', "also the legacy applications' own tables, where a database is empty (demo, tests)")
    .option('--yes', 'apply the plan')
    .action(async (names: string[], options: Options) => {
      const deployment = await deploymentOf(options);
      const plans = [];
      for (const system of chosenSystems(names)) {
        const plan = await planSetup(deployment, system, options.legacySchema ?? false);
        process.stdout.write(
          `${plan.system}: ${plan.done ? 'nothing to do' : plan.scripts.map((s) => s.name).join(', ')}\n`,
        );
        plans.push({ system, plan });
      }
      if (!confirmed(options)) return;
      for (const { system, plan } of plans) {
        for (const { text, next } of await applySetup(deployment, system, plan)) {
          process.stdout.write(`${plan.system}: finding: ${text}\n  next: ${next}\n`);
        }
      }
    });
}

/** Nothing was compared with the database. */
function forOwner(system: string): string {
  return `-- ${system}: all that Seam asks for, to be run by the owner of the database; it can be run again.
-- ${system}: in place of :'cdc_password' and :'sink_password' stand the passwords of seam_cdc and seam_sink.
`;
}
