/** Topics that lack stop what needs them, and nothing else. */
import { describe, expect, it } from 'vitest';
import { entities } from '../../avro/generated/entities.ts';
import crm from '../../connectors/crm/mapping.ts';
import pos from '../../connectors/pos/mapping.ts';
import { compileSource } from '../../processors/compile-mapping.ts';
import { withoutTopics } from '../../processors/missing-topics.ts';
import { steps } from '../../processors/steps/index.ts';
import { rawTopic } from '../../processors/topics.ts';

const tables = new Map(
  [pos, crm].flatMap((mapping) =>
    [...compileSource(mapping, entities)]
      .filter(([, { entities: found }]) => found.length > 0)
      .map(([name, table]) => [rawTopic(mapping.system, name), table] as const),
  ),
);
const without = (...topics: string[]) => withoutTopics({ tables, steps, entities }, new Set(topics));

describe('without a topic', () => {
  it('nothing lacks: all is there', () => {
    const { tables: kept, steps: left } = without();
    expect([...kept.keys()]).toEqual([...tables.keys()]);
    expect(left).toEqual(steps);
  });

  it('of a table that table waits alone', () => {
    const { tables: kept, left } = without('raw.pos.pos.cust');
    expect([...kept.keys()]).toEqual([...tables.keys()].filter((topic) => topic !== 'raw.pos.pos.cust'));
    expect([...left.raw]).toEqual([['raw.pos.pos.cust', ['raw.pos.pos.cust']]]);
    expect(left.canonical.size).toBe(0);
  });

  it('of an entity every table that writes it waits, and every step that reads or writes it', () => {
    const { tables: kept, steps: left, left: out } = without('canonical.sale-line');
    const writers = [...tables].filter(([, table]) =>
      table.entities.some(({ description }) => description.entity === 'sale-line'),
    );
    expect(writers.length).toBeGreaterThan(0);
    for (const [topic] of writers) expect(kept.has(topic)).toBe(false);
    expect(left.some(({ from, to }) => from === 'sale-line' || to.includes('sale-line' as never))).toBe(false);
    expect(left.length).toBeLessThan(steps.length);
    expect(out.canonical.get('canonical.sale-line')).toEqual(['canonical.sale-line']);
  });

  it('of every table it is refused, with all that lacks', () => {
    expect(() => without(...tables.keys())).toThrow(expect.objectContaining({ code: 'TOPICS_MISSING' }));
  });
});
