/** The plugins of Kafka Connect's image: components of the stack, and where each is in the image. */
import { type ComponentName, components } from '../stack/components.ts';

export const pluginComponents = [
  'debezium-postgres',
  'debezium-mariadb',
  'avro-converter',
] as const satisfies ComponentName[];

export const compilerComponent = 'java-compiler' satisfies ComponentName;

/** The plugin that holds what is written in Java here, and the folder of the sources in stack/. */
export const converterPlugin = 'avro-converter' satisfies ComponentName;
export const converterSources = components[converterPlugin].javaSources as string;

export const pluginDirectory = (name: string): string => `/opt/seam/plugins/${name}`;
