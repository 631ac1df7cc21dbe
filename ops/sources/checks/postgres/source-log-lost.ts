/** Without its slot the server has removed changes, or will; the connector may only wait, or begin a new slot at "now". */
import type { CheckedSource, Finding, SourceCheck } from '../check.ts';

export const sourceLogLost: SourceCheck = {
  id: 'SOURCE_LOG_LOST',
  severity: 'halt',
  isFinal: true,
  async find(source) {
    const { session, offset, config } = source;
    if (offset === undefined) return [];
    const slot = config['slot.name'] ?? '';
    const [found] = await session.query<{ status: string | null }>(
      'SELECT wal_status AS status FROM pg_replication_slots WHERE slot_name = ? AND database = current_database()',
      [slot],
    );
    if (found === undefined) return lost(source, `the replication slot "${slot}" is gone`);
    if (found.status !== 'lost') return [];
    return lost(source, `the replication slot "${slot}" was invalidated: the log it needs was removed`);
  },
};

function lost({ system }: CheckedSource, reason: string): readonly Finding[] {
  return [
    {
      text: `changes of ${system} were lost before they were read: ${reason}`,
      next: `read it again: seam connectors recover ${system} --yes`,
    },
  ];
}
