/** The connector's publication, as the catalogue has it. */
import type { CheckedSource } from '../check.ts';

export type Publication = {
  readonly name: string;
  readonly operations: Readonly<Record<'insert' | 'update' | 'delete' | 'truncate', boolean>>;
  readonly isViaRoot: boolean;
};

export async function publicationOf({ session, config }: CheckedSource): Promise<Publication | undefined> {
  const name = publicationName(config);
  const [row] = await session.query<Record<string, boolean>>(
    `SELECT pubinsert AS "insert", pubupdate AS "update", pubdelete AS "delete", pubtruncate AS "truncate", pubviaroot AS "isViaRoot"
       FROM pg_publication WHERE pubname = ?`,
    [name],
  );
  if (row === undefined) return undefined;
  const { isViaRoot, ...operations } = row as Record<string, boolean>;
  return { name, operations: operations as Publication['operations'], isViaRoot: isViaRoot === true };
}

export function publicationName(config: CheckedSource['config']): string {
  return config['publication.name'] ?? 'dbz_publication';
}
