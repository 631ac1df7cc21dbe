/** A restored server, or `RESET MASTER`: new changes would get positions that were given out before. */
import type { SourceCheck } from '../check.ts';
import { lastOfDomains } from './server.ts';

export const sourceWentBack: SourceCheck = {
  id: 'SOURCE_WENT_BACK',
  severity: 'halt',
  isFinal: true,
  async find({ system, session, offset }) {
    if (offset === undefined) return [];
    const [server] = await session.query<{ gtids: string }>('SELECT @@gtid_binlog_pos AS gtids');
    const present = lastOfDomains(server?.gtids ?? '');
    for (const [domain, last] of lastOfDomains(String(offset.gtids ?? ''))) {
      if (last <= (present.get(domain) ?? 0n)) continue;
      return [
        {
          text: `the log of ${system} ends before what was read already: it was restored or reset (GTID)`,
          next: `read what it holds now: seam connectors recover ${system} --yes`,
        },
      ];
    }
    return [];
  },
};
