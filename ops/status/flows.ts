/**
 * Which flows a project has, and how each stands: one source's entity on its way into one target. Pure: systems, steps and conditions
 * go in, lines come out.
 */
import type { Condition } from '../../core/condition.ts';
import type { Step } from '../../core/step.ts';
import type { Entities } from '../../processors/compile-mapping.ts';
import { rawTopic } from '../../processors/topics.ts';
import type { System } from '../systems.ts';

export type Flow = {
  readonly source: string;
  readonly entity: string;
  readonly target: string;
  /** `<schema>.<table>` of the source, where the entity comes from, also through steps. */
  readonly tables: readonly string[];
  /** Every topic on the way: raw, canonical. */
  readonly topics: readonly string[];
};

export type FlowState = 'running' | 'attention' | 'halted';
export type FlowStatus = Flow & { readonly state: FlowState; readonly conditions: readonly Condition[] };

export function flowsOf(systems: readonly System[], steps: readonly Step[], entities: Entities): Flow[] {
  const origins = systems.flatMap((system) => originsOf(system, steps));
  return systems.flatMap(({ system: target, target: declared }) => {
    const wanted = [...new Set((declared?.tables ?? []).map(({ entity }) => entity as string))];
    return wanted.flatMap((entity) => {
      const feeding = origins.filter((origin) => origin.reaches.has(entity));
      const bySource = Map.groupBy(feeding, ({ system }) => system);
      return [...bySource].map(([source, found]) => flowOf(source, entity, target, found, entities));
    });
  });
}

type Origin = {
  readonly system: string;
  readonly table: string;
  readonly reaches: ReadonlyMap<string, readonly string[]>;
};

/** Per table: each entity that it reaches, with the entities on the way there. */
function originsOf({ system, source }: System, steps: readonly Step[]): Origin[] {
  return Object.entries(source?.mapping.tables ?? {}).flatMap(([table, mappings]) => {
    if ('kind' in mappings) return [];
    const reaches = new Map<string, readonly string[]>();
    for (const { entity } of mappings) follow(entity, [], steps, reaches);
    return [{ system, table, reaches }];
  });
}

function follow(
  entity: string,
  way: readonly string[],
  steps: readonly Step[],
  reaches: Map<string, readonly string[]>,
) {
  if (reaches.has(entity)) return;
  const here = [...way, entity];
  reaches.set(entity, here);
  for (const { from, to } of steps) if (from === entity) for (const next of to) follow(next, here, steps, reaches);
}

function flowOf(source: string, entity: string, target: string, origins: readonly Origin[], entities: Entities): Flow {
  const tables = [...new Set(origins.map(({ table }) => table))];
  const passed = new Set(origins.flatMap(({ reaches }) => reaches.get(entity) ?? []));
  const topics = [
    ...tables.map((table) => rawTopic(source, table)),
    ...[...passed].flatMap((name) => entities[name]?.topic ?? []),
  ];
  return { source, entity, target, tables, topics };
}

/** What is wrong on the way of each flow. A condition of a worker concerns every flow that this worker carries. */
export function flowStatuses(flows: readonly Flow[], conditions: readonly Condition[]): FlowStatus[] {
  return flows.map((flow) => {
    const own = conditions.filter((condition) => concerns(condition, flow));
    const state = own.some(({ severity }) => severity === 'halt') ? 'halted' : own.length > 0 ? 'attention' : 'running';
    return { ...flow, state, conditions: own };
  });
}

function concerns({ object }: Condition, { source, target, tables, topics }: Flow): boolean {
  switch (object.kind) {
    case 'source':
      return object.system === source;
    case 'table':
      return object.system === source && tables.includes(object.table);
    case 'topic':
      return topics.includes(object.topic);
    case 'target':
      return object.system === target;
    case 'target-table':
      return object.system === target && object.topics.some((topic) => topics.includes(topic));
    case 'worker':
      return (
        object.worker !== 'connectors' && (!object.worker.startsWith('sink-') || object.worker === `sink-${target}`)
      );
  }
}
