/** What `seam verify --json` says of a table. */
import { dotted, type Kind, type Names, named, type TablePlan } from './plan.ts';
import { entityOf } from './project.ts';

export type Verified = {
  readonly tables: readonly {
    readonly entity: string;
    readonly notCompared?: string;
    readonly differences: readonly { kind: string; key: string; columns: readonly string[] }[];
  }[];
  readonly refused: Readonly<Record<string, number>>;
};

/** Differences, or rows that it did not compare. Empty: nothing. undefined: it does not speak of the table, or says that it can't. */
export function opinionOf(table: TablePlan, names: Names, { tables, refused }: Verified): string | undefined {
  const found = tables.find(({ entity }) => entity === entityOf(table, names));
  if (found === undefined || found.notCompared !== undefined) return undefined;
  const place = (kind: Kind, name: string) => `${names[kind]} ${named(dotted(kind, name), names)} `;
  const places = [place(table.kind, table.name), place(table.target.kind, table.target.name)];
  const differences = found.differences
    .slice(0, 3)
    .map(({ kind, key, columns }) => `${kind} ${key} ${columns.join(',')}`);
  const left = Object.entries(refused).filter(([where]) => places.some((one) => where.startsWith(one)));
  return [...differences, ...left.map(([where, rows]) => `refused ${where}: ${rows}`)].join('; ');
}
