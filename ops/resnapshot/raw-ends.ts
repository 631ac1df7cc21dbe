/** How many records the raw topics of tables hold or held: transaction markers count too. */
import type { Log, LogAdmin } from '../../core/ports.ts';
import { rawTopic } from '../../processors/topics.ts';

export async function rawEnds(log: Log, system: string, tables: readonly string[]): Promise<Map<string, bigint>> {
  const admin = await log.admin();
  try {
    return await rawEndsBy(admin, system, tables);
  } finally {
    await admin.close();
  }
}

export async function rawEndsBy(
  admin: LogAdmin,
  system: string,
  tables: readonly string[],
): Promise<Map<string, bigint>> {
  const topics = new Set(await admin.listTopics());
  const ends = new Map<string, bigint>();
  for (const table of tables) {
    const topic = rawTopic(system, table);
    let end = 0n;
    if (topics.has(topic)) for (const { latest } of await admin.bounds(topic)) end += latest;
    ends.set(table, end);
  }
  return ends;
}
