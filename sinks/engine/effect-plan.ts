/** Totals change by exactly what the ledger of amounts says is new. */
import type { SqlValue } from '../../core/target.ts';
import type { Values } from '../dialects/dialect.ts';
import type { CompiledEffect, CompiledTable } from './compile.ts';
import { addDecimals, groupKeyOf, groupText, isZero, sameAmount, subtractDecimals } from './effects.ts';
import type { Share } from './evaluate.ts';
import { rowId } from './row-id.ts';
import { type EffectRow, entityKey } from './side-tables.ts';

export type TotalWrite = {
  readonly effect: CompiledEffect;
  readonly key: readonly Values[];
  readonly deltas: readonly string[];
};

export type EffectWrites = {
  readonly totals: readonly TotalWrite[];
  readonly amounts: readonly (EffectRow & { readonly effect: string; readonly key: string })[];
  readonly amountsGone: readonly { readonly effect: string; readonly key: string }[];
};

type Group = { readonly key: readonly SqlValue[]; delta: string };

export class EffectPlan {
  readonly #prior: ReadonlyMap<string, EffectRow>;
  readonly #present: ReadonlySet<string>;
  readonly #groups = new Map<CompiledEffect, Map<string, Group>>();
  readonly #amounts: (EffectRow & { effect: string; key: string })[] = [];
  readonly #gone: { effect: string; key: string }[] = [];

  constructor(prior: ReadonlyMap<string, EffectRow>, present: ReadonlySet<string>) {
    this.#prior = prior;
    this.#present = present;
  }

  /** `shares` empty: the key contributes nothing any more. */
  change(table: CompiledTable, key: string, shares: readonly Share[]): void {
    for (const [index, effect] of table.effects.entries()) {
      const { name } = effect.declaration;
      const prior = this.#prior.get(entityKey(name, key));
      const share = shares[index];
      if (share === undefined) {
        if (prior === undefined) continue;
        this.#add(effect, groupKeyOf(prior.groupKey), prior.groupKey, subtractDecimals('0', prior.amount));
        this.#gone.push({ effect: name, key });
        continue;
      }
      const amount = share.amount ?? prior?.amount ?? '0';
      if (prior?.groupKey === share.groupText) {
        if (sameAmount(prior.amount, amount)) continue;
        this.#add(effect, share.groupKey, share.groupText, subtractDecimals(amount, prior.amount));
      } else {
        if (prior !== undefined)
          this.#add(effect, groupKeyOf(prior.groupKey), prior.groupKey, subtractDecimals('0', prior.amount));
        this.#add(effect, share.groupKey, share.groupText, amount);
      }
      this.#amounts.push({ effect: name, key, groupKey: share.groupText, amount });
    }
  }

  finish(): EffectWrites {
    return { totals: this.#totals(), amounts: this.#amounts, amountsGone: this.#gone };
  }

  #add(effect: CompiledEffect, key: readonly SqlValue[], text: string, delta: string): void {
    let groups = this.#groups.get(effect);
    if (groups === undefined) {
      groups = new Map();
      this.#groups.set(effect, groups);
    }
    const group = groups.get(text);
    if (group === undefined) groups.set(text, { key, delta });
    else group.delta = addDecimals(group.delta, delta);
  }

  /** In key order, or two workers wait for each other. A total row that is gone takes no amounts back. */
  #totals(): TotalWrite[] {
    const totals: TotalWrite[] = [];
    for (const [effect, groups] of this.#groups) {
      const { table, whenMissing } = effect.declaration;
      const changed = [...groups.values()].filter(
        ({ key, delta }) =>
          !isZero(delta) && (whenMissing === 'insert' || this.#present.has(rowId(table, effect.key, key))),
      );
      if (changed.length === 0) continue;
      changed.sort((left, right) => (groupText(left.key) < groupText(right.key) ? -1 : 1));
      totals.push({
        effect,
        key: effect.key.map(({ name }, index) => ({
          column: name,
          values: changed.map(({ key }) => key[index] as SqlValue),
        })),
        deltas: changed.map(({ delta }) => delta),
      });
    }
    return totals;
  }
}
