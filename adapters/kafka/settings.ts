import { z } from 'zod';

export const KafkaSettings = z.strictObject({
  brokers: z.array(z.string().min(1)).min(1).meta({ description: 'Addresses `host:port` to find the cluster by.' }),
  clientId: z.string().min(1).default('seam').meta({ description: 'Name of this worker in the brokers’ logs.' }),
  requestTimeoutMs: z.int().min(1_000).default(20_000).meta({ description: 'Longest wait for an answer of a broker.' }),
  sessionTimeoutMs: z
    .int()
    .min(6_000)
    .default(30_000)
    .meta({ description: 'After this long without a sign of life a worker’s partitions go to the others.' }),
  stallMsMax: z
    .int()
    .min(5_000)
    .default(60_000)
    .meta({ description: 'After this long without any fetch the consumer is started again.' }),
  retryDelayMsMax: z.int().min(100).default(5_000).meta({ description: 'Longest pause between two attempts.' }),
  transactionTimeoutMs: z
    .int()
    .min(1_000)
    .default(30_000)
    .meta({ description: 'After this long the broker ends an open transaction of a worker that died.' }),
});
export type KafkaSettings = z.infer<typeof KafkaSettings>;
