/**
 * Where everything runs: one file, read once in a command's entry point and passed down as a value. Secrets are named by
 * the file that holds them, never written here.
 */
import { z } from 'zod';

const Host = z.string().min(1);
const Port = z.int().min(1).max(65_535);

export const DatabaseAccess = z.strictObject({
  kind: z.enum(['postgres', 'mariadb']).meta({ description: 'Kind of database; picks the sink dialect.' }),
  host: Host.meta({ description: 'Host as the workers reach it.' }),
  port: Port.meta({ description: 'Port as the workers reach it.' }),
  database: z.string().min(1).meta({ description: 'Database name.' }),
  connectHost: Host.optional().meta({ description: 'Host as Kafka Connect reaches it, where that differs.' }),
  connectPort: Port.optional().meta({ description: 'Port as Kafka Connect reaches it, where that differs.' }),
  passwordDirectory: z.string().meta({
    description: 'Directory with the files `capture`, `sink` and, for set-up only, `admin`: one password each.',
  }),
  adminUser: z.string().optional().meta({ description: 'User that may run setup.sql; only `seam setup` uses it.' }),
});
export type DatabaseAccess = z.infer<typeof DatabaseAccess>;

export const Deployment = z.strictObject({
  kafka: z.strictObject({
    bootstrapServers: z
      .string()
      .min(1)
      .meta({ description: 'Comma-separated host:port list, as the workers reach it.' }),
    connectBootstrapServers: z.string().optional().meta({ description: 'The same, as Kafka Connect reaches it.' }),
    partitions: z.int().min(1).max(256).default(4).meta({ description: 'Partitions of every topic Seam makes.' }),
    replicationFactor: z.int().min(1).max(5).default(1).meta({ description: 'Copies of every partition.' }),
  }),
  registry: z.strictObject({
    url: z.url().meta({ description: 'Base URL of the Confluent-compatible schema registry API.' }),
  }),
  connect: z.strictObject({
    url: z.url().meta({ description: 'Kafka Connect REST API.' }),
    secretsDirectory: z
      .string()
      .meta({ description: 'Directory of connection files as Kafka Connect sees it; replaces /run/seam/secrets.' }),
    localSecretsDirectory: z.string().optional().meta({ description: 'The same directory as `seam setup` sees it.' }),
  }),
  systems: z.record(z.string(), DatabaseAccess),
  healing: z.enum(['automatic', 'by-hand']).default('automatic').meta({
    description:
      'Who reads a table again that lost changes its log did not tell: the connectors worker by itself, or a person with `seam resnapshot`.',
  }),
  processors: z
    .record(z.string(), z.unknown())
    .default({})
    .meta({ description: 'Settings of the processors that differ from their defaults.' }),
  sinks: z
    .record(z.string(), z.unknown())
    .default({})
    .meta({ description: 'Settings of all sinks that differ from their defaults.' }),
});
export type Deployment = z.infer<typeof Deployment>;
