/** A target that would stay empty for ever is refused before the first record; one that others feed too is not. */
import { expect, it } from 'vitest';
import { entities } from '../../avro/generated/entities.ts';
import { refuseOwnEntities } from '../../ops/run/own-entities.ts';
import { type Flow, flowsOf } from '../../ops/status/flows.ts';
import { systems } from '../../ops/systems.ts';
import type { Entities } from '../../processors/compile-mapping.ts';
import { steps } from '../../processors/steps/index.ts';

const [known] = Object.values(entities as Entities);
const owned = (owner: string): Entities => ({ thing: { ...(known as Entities[string]), owner } });
const flow = (source: string, target: string): Flow => ({ source, entity: 'thing', target, tables: [], topics: [] });

it('takes every target of this project as it is', () => {
  const flows = flowsOf(systems, steps, entities);
  for (const { system } of systems) expect(() => refuseOwnEntities(system, flows, entities)).not.toThrow();
});

it('refuses what a target owns and takes from itself alone', () => {
  expect(() => refuseOwnEntities('a', [flow('a', 'a')], owned('a'))).toThrow(/a would take thing from itself alone/);
});

it('takes what another system feeds too, what is shared, and what goes elsewhere', () => {
  expect(() => refuseOwnEntities('a', [flow('a', 'a'), flow('b', 'a')], owned('a'))).not.toThrow();
  expect(() => refuseOwnEntities('a', [flow('a', 'a')], owned('shared'))).not.toThrow();
  expect(() => refuseOwnEntities('b', [flow('a', 'b')], owned('a'))).not.toThrow();
  expect(() => refuseOwnEntities('b', [flow('a', 'a')], owned('a'))).not.toThrow();
});
