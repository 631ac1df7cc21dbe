/** A fail-over, or a wrong address: the log of another server has other positions. */
import type { SourceCheck } from '../check.ts';
import { formerServer } from '../identity-setting.ts';
import { mariadbIdentity } from './server.ts';

export const sourceReplaced: SourceCheck = {
  id: 'SOURCE_REPLACED',
  severity: 'halt',
  isFinal: true,
  async find({ system, session, config }) {
    const identity = await mariadbIdentity(session);
    const former = formerServer(config, identity);
    if (former === undefined) return [];
    return [
      {
        text: `another server answers as ${system}: it was ${former}, and is ${identity}`,
        next: `point the deployment file back, or accept it, which reads all of it again: seam connectors recover ${system} --yes`,
      },
    ];
  },
};
