/** A binary log that was purged takes the changes in it along. */
import type { SourceCheck } from '../check.ts';

export const sourceLogLost: SourceCheck = {
  id: 'SOURCE_LOG_LOST',
  severity: 'halt',
  isFinal: true,
  async find({ system, session, offset }) {
    const file = String(offset?.file ?? '');
    if (file === '') return [];
    const files = await session.query<{ Log_name: string }>('SHOW BINARY LOGS');
    if (files.some((one) => one.Log_name === file)) return [];
    const reason = `the binary log ${file} was purged before it was read to its end`;
    return [
      {
        text: `changes of ${system} were lost before they were read: ${reason}`,
        next: `read it again: seam connectors recover ${system} --yes`,
      },
    ];
  },
};
