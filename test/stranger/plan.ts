/**
 * A round as data: legacy tables, how they are mapped, and what people do to them. Made from a seed by `generate.ts`, run by
 * `round.ts`, made smaller by `reduce.ts`. Everything in it is text that a person could type: SQL, and command lines of Seam.
 *
 * Names of a round differ at every run, because Kafka Connect remembers a connector for ever. The plan therefore holds the
 * place holders `§P` and `§M`, for the PostgreSQL and the MariaDB system, which `named` fills in.
 */
export type Kind = 'postgres' | 'mariadb';

export const OTHER: Readonly<Record<Kind, Kind>> = { postgres: 'mariadb', mariadb: 'postgres' };
export const TOKEN: Readonly<Record<Kind, string>> = { postgres: '§P', mariadb: '§M' };
/** Schema of the legacy tables; in MariaDB it is the database, which has the system's name. */
export const SCHEMA: Readonly<Record<Kind, string>> = { postgres: 'app', mariadb: TOKEN.mariadb };

export type ColumnPlan = {
  readonly name: string;
  /** Type of `types.ts`. */
  readonly type: string;
  /** DDL behind the type: `NOT NULL`, `DEFAULT …`, `GENERATED …`. */
  readonly extra: string;
  readonly nullable: boolean;
  /** Nobody writes it: the database computes it. */
  readonly generated: boolean;
  readonly isKey: boolean;
};

/** One table of a source, and where its rows go. */
export type TablePlan = {
  readonly id: string;
  readonly kind: Kind;
  readonly name: string;
  readonly columns: readonly ColumnPlan[];
  /** Canonical entity; several tables may share one, each with its `tag` in front of the key. */
  readonly entity: string;
  readonly tag: string;
  readonly target: TargetPlan;
  /** What this table is made of, for the coverage: `type:text`, `key:composite`, `name:space`. */
  readonly features: readonly string[];
  /** DDL, in order: types, the table, indexes, identity, triggers, foreign keys. */
  readonly ddl: readonly string[];
  /** Columns that the connector takes as the key, where the table has none of its own (`message.key.columns`). */
  readonly messageKey: readonly string[];
  /** Tables that this one can't do without: its parent, and the one whose entity it shares. */
  readonly needs: readonly string[];
  /** The mapping begins with `ignore`; a step maps it later. */
  readonly ignoredAtFirst: boolean;
  /** The table, its grants and its mapping come with a step. */
  readonly addedLater: boolean;
};

export type TargetPlan = {
  readonly kind: Kind;
  readonly name: string;
  readonly keyColumns: readonly string[];
  readonly columns: readonly string[];
  readonly ddl: readonly string[];
  /** Keys whose last character is one of these are not taken: `accepts` of the target. */
  readonly refusesKeysEndingIn: string | null;
};

export type Action =
  | { readonly do: 'sql'; readonly on: Kind; readonly sql: readonly string[]; readonly mayFail?: boolean }
  /** `mustEnd`: nothing stands in its way by now, so it has to end well. */
  | { readonly do: 'seam'; readonly args: readonly string[]; readonly mustEnd?: boolean }
  /** A copy of a whole PostgreSQL database, and its return: its slots are lost, and every table in it goes back. */
  | { readonly do: 'backup' | 'restore' }
  | { readonly do: 'restart'; readonly what: 'connect' | 'kafka' | 'postgres' | 'mariadb' | 'workers' | 'connectors' }
  /** The project's files say something new of a table; the workers are restarted as a person would. */
  | { readonly do: 'map'; readonly table: string }
  | { readonly do: 'settle' };

export type Step = {
  readonly id: string;
  readonly operation: string;
  readonly tables: readonly string[];
  readonly actions: readonly Action[];
  /** What the owner does when Seam says what is wrong. */
  readonly repair: readonly Action[];
  /** Before the first start rather than while the chain runs. */
  readonly early: boolean;
  /** No log shows it: only `verify` can find it, so that counts as having been said. */
  readonly unseen: boolean;
};

export type RoundPlan = {
  readonly seed: number;
  readonly tables: readonly TablePlan[];
  readonly steps: readonly Step[];
};

export type Names = Readonly<Record<Kind, string>>;

export function named(text: string, names: Names): string {
  return text.replaceAll(TOKEN.postgres, names.postgres).replaceAll(TOKEN.mariadb, names.mariadb);
}

export function quoted(kind: Kind, name: string): string {
  return kind === 'postgres' ? `"${name.replaceAll('"', '""')}"` : `\`${name.replaceAll('`', '``')}\``;
}

export function placed(kind: Kind, table: string): string {
  return `${kind === 'postgres' ? 'app' : `\`${TOKEN.mariadb}\``}.${quoted(kind, table)}`;
}

/** As a mapping or `table.include.list` spells it. */
export function dotted(kind: Kind, table: string): string {
  return `${SCHEMA[kind]}.${table}`;
}

/** Tables with all that they need, and one of each kind: a source without a table would have no rights to be read with. */
export function closure(plan: RoundPlan, ids: readonly string[]): Set<string> {
  const kept = new Set(ids);
  for (const kind of ['postgres', 'mariadb'] as const) {
    const ofKind = plan.tables.filter((table) => table.kind === kind);
    if (ofKind.some(({ id }) => kept.has(id))) continue;
    const [least] = ofKind.toSorted((left, right) => left.needs.length - right.needs.length);
    if (least !== undefined) kept.add(least.id);
  }
  for (let before = -1; before !== kept.size; ) {
    before = kept.size;
    for (const { id, needs } of plan.tables) if (kept.has(id)) for (const need of needs) kept.add(need);
  }
  return kept;
}

/** Only these tables, and of the steps that touch none but them only these. First rows belong to their table. */
export function restricted(plan: RoundPlan, ids: readonly string[], steps?: ReadonlySet<string>): RoundPlan {
  const kept = closure(plan, ids);
  return {
    ...plan,
    tables: plan.tables.filter(({ id }) => kept.has(id)),
    steps: plan.steps.filter(
      (step) =>
        step.tables.every((id) => kept.has(id)) &&
        (steps === undefined || step.operation === FIRST_ROWS || steps.has(step.id)),
    ),
  };
}

export const FIRST_ROWS = 'first rows';
