/** Every target system: one line each. */
import type { Target } from '../core/target.ts';
import crm from './targets/crm/target.ts';
import erp from './targets/erp/target.ts';
import finance from './targets/finance/target.ts';
import logistics from './targets/logistics/target.ts';
import pos from './targets/pos/target.ts';
import reporting from './targets/reporting/target.ts';

export const targets: readonly Target[] = [pos, erp, crm, logistics, finance, reporting];

type OwnedStore = {
  readonly system: string;
  readonly sql: { readonly schema: URL; readonly setup: URL; readonly teardown: URL };
};

/** Stores that are ours and no source: their SQL lies beside the target. A legacy system's lies in connectors/<system>/. */
export const ownedStores: readonly OwnedStore[] = [ownedStore('reporting')];

function ownedStore(system: string): OwnedStore {
  const file = (name: string) => new URL(`targets/${system}/${name}`, import.meta.url);
  return { system, sql: { schema: file('schema.sql'), setup: file('setup.sql'), teardown: file('teardown.sql') } };
}
