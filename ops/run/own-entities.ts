/** A record is never written back into the system that owns it, so a target that takes an entity from nobody else stays empty. */
import { ConfigError } from '../../core/errors.ts';
import type { Entities } from '../../processors/compile-mapping.ts';
import type { Flow } from '../status/flows.ts';

/** Refuses before the first record what would never be written, and would be missed by nobody but `verify`. */
export function refuseOwnEntities(target: string, flows: readonly Flow[], entities: Entities): void {
  const into = Map.groupBy(
    flows.filter((flow) => flow.target === target),
    ({ entity }) => entity,
  );
  const own = [...into].flatMap(([entity, feeding]) => {
    const isOwn = entities[entity]?.owner === target && feeding.every(({ source }) => source === target);
    return isOwn ? [entity] : [];
  });
  if (own.length === 0) return;
  throw new ConfigError({
    code: 'TARGET_OF_ITS_OWN',
    message: `${target} would take ${own.join(', ')} from itself alone: a record is never written back into the system that owns it`,
    where: `sinks/targets/${target}/target.ts`,
    hint: 'write it into another system, or leave it out',
  });
}
