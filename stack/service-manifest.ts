/**
 * A jar with nothing but `META-INF/services`: it tells Connect which plugin classes are in the jars next to it. Without it,
 * Connect opens every class of every jar to find them, which takes it a minute of processor time at each start.
 */
import { storedZip } from './zip.ts';

export type Services = Readonly<Record<string, readonly string[]>>;

export function serviceManifestJar(services: Services): Buffer {
  return storedZip(
    Object.entries(services).map(([service, classes]) => ({
      name: `META-INF/services/${service}`,
      content: Buffer.from(`${classes.join('\n')}\n`),
    })),
  );
}
