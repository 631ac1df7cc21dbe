/** What people do to a database, as a kind of step: which tables it fits, and what it is for one of them. */
import type { Random } from '../../../demo/random.ts';
import type { TableModel } from '../model.ts';
import type { Action, Step } from '../plan.ts';
import type { Shape } from '../shapes.ts';

export type Made = {
  readonly actions: readonly Action[];
  readonly repair?: readonly Action[];
  readonly unseen?: boolean;
  readonly early?: boolean;
  /** Tables that it touches beside its own. */
  readonly also?: readonly string[];
};

export type Operation = {
  readonly id: string;
  readonly weight: number;
  /** It concerns a whole source or the whole machine: a few in a round are enough. */
  readonly wide?: boolean;
  /** It may stop a whole source or target: it comes after what does not. */
  readonly late?: boolean;
  /** A table of one of these shapes meets one of its operations in any case. */
  readonly belongsTo?: readonly Shape[];
  readonly fits: (model: TableModel) => boolean;
  readonly make: (random: Random, model: TableModel, all: readonly TableModel[]) => Made;
};

export function stepOf(operation: Operation, index: number, table: string, made: Made): Step {
  return {
    id: `s${index}`,
    operation: operation.id,
    tables: [table, ...(made.also ?? [])],
    actions: made.actions,
    repair: made.repair ?? [],
    early: made.early ?? false,
    unseen: made.unseen ?? false,
  };
}

export const sqlOn = (model: TableModel, ...sql: string[]): Action => ({ do: 'sql', on: model.table.kind, sql });
export const seam = (...args: string[]): Extract<Action, { do: 'seam' }> => ({ do: 'seam', args });
