/**
 * Where a worker's processor time went, as V8's sampling profiler saw its main thread: by file of ours, by module of Node,
 * by package of others.
 */
import type { Profiler } from 'node:inspector';

/** `share` of the samples in which the thread worked, 0 to 1. */
export type TimeShare = { readonly where: string; readonly share: number };

const LEAST_SHARE = 0.02;
const REST = 'all else';
const IDLE = '(idle)';
const ROOT = '(root)';
/** A map: functions are named `toString` and `constructor`, too. */
const own: ReadonlyMap<string, string> = new Map([
  [IDLE, IDLE],
  ['(garbage collector)', 'garbage collector'],
  ['(program)', 'outside JavaScript'],
]);

/** `root`: URL of the project's folder, with a slash at its end. Sorted, the largest first; what is small is counted together. */
export function timeShares({ nodes }: Pick<Profiler.Profile, 'nodes'>, root: string): TimeShare[] {
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const hits = new Map<string, number>();
  const count = (node: Profiler.ProfileNode | undefined, caller: string) => {
    if (node === undefined) return;
    const where = placeOf(node.callFrame, caller, root);
    if (where !== IDLE) hits.set(where, (hits.get(where) ?? 0) + (node.hitCount ?? 0));
    for (const child of node.children ?? []) count(byId.get(child), where);
  };
  count(
    nodes.find(({ callFrame }) => callFrame.functionName === ROOT),
    REST,
  );
  return sharesOf(hits);
}

/** Code without a file (made at start, or a function of the engine) belongs to whoever calls it. */
function placeOf({ functionName, url }: Profiler.ProfileNode['callFrame'], caller: string, root: string): string {
  const known = own.get(functionName);
  if (known !== undefined) return known;
  if (url.startsWith('node:')) return url.replace('internal/', '');
  if (!url.startsWith(root)) return caller;
  const file = url.slice(root.length);
  return /^node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(file)?.[1] ?? file;
}

function sharesOf(hits: ReadonlyMap<string, number>): TimeShare[] {
  const all = [...hits].reduce((sum, [, count]) => sum + count, 0);
  const shares = [...hits].map(([where, count]) => ({ where, share: count / all }));
  const shown = shares.filter(({ where, share }) => where !== REST && share >= LEAST_SHARE);
  const rest = 1 - shown.reduce((sum, { share }) => sum + share, 0);
  shown.sort((left, right) => right.share - left.share);
  return all === 0 ? [] : [...shown, { where: REST, share: rest }];
}
