/** The plugins of Kafka Connect's image: components of the stack, and where each lies in the image. */
import type { ComponentName } from '../stack/components.ts';

export const pluginComponents = [
  'debezium-postgres',
  'debezium-mariadb',
  'avro-converter',
] as const satisfies ComponentName[];

export const pluginDirectory = (name: string): string => `/opt/seam/plugins/${name}`;
