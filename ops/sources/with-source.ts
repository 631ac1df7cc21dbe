/** One session of a source's database for one piece of work. */
import type { Deployment } from '../../core/deployment.ts';
import { sourceConnection } from '../operations/verify-deployment.ts';
import { openSource, type SourceSession } from '../resnapshot/source-session.ts';

export async function withSource<T>(
  deployment: Deployment,
  system: string,
  work: (session: SourceSession) => Promise<T>,
): Promise<T> {
  const session = await openSource(await sourceConnection(deployment, system));
  try {
    return await work(session);
  } finally {
    await session.close();
  }
}
