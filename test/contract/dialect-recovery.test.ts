/** What a sink survives: lost leases, crashes at every step, a target that goes away. */
import { describe, expect, it } from 'vitest';
import { canonicalHash } from '../../core/canonical-hash.ts';
import { ContractError, TransientError } from '../../core/errors.ts';
import { heldFields, to, update, upsert } from '../../core/target.ts';
import type { CrashPoint } from '../../sinks/engine/hooks.ts';
import type { DecodeBatch } from '../../sinks/engine/record.ts';
import { type DialectSuite, describeDialects } from '../support/dialect-suite.ts';
import { memberOf, moved, product } from '../support/shop-records.ts';
import { contact, item, member, movement } from '../support/shop-tables.ts';
import { eventually, SinkBench } from '../support/sink-bench.ts';
import { decodeTestBatch } from '../support/test-log.ts';

const CRASH_POINTS: readonly CrashPoint[] = [
  'before-lock',
  'after-lock',
  'after-rows',
  'before-commit',
  'after-commit',
];

describeDialects((suite) => {
  describe('leases', () => {
    it('lets a worker that lost its partitions write nothing, although it is in the middle of a batch', async () => {
      const steps: string[] = [];
      let release: () => void = () => undefined;
      const gate = new Promise<void>((resolve) => {
        release = resolve;
      });
      const zombieHooks = {
        at: async (point: string) => {
          if (point === 'before-lock' && steps.includes('arm')) {
            steps.push('zombie holds a batch');
            await gate;
          }
        },
      };
      const zombie = await suite.start([item], { groupId: 'zombie', hooks: zombieHooks });
      await suite.write(zombie, product({ description: 'first' }, { at: 1 }));
      steps.push('arm');
      zombie.log.append(product({ description: 'zombie' }, { at: 3 }));
      await eventually(() => steps.length === 2, 'the zombie has read the batch');

      zombie.log.assign('heir', [0, 1]);
      const heir = await suite.start([item], { groupId: 'heir' }, zombie.log);
      await heir.settled();
      expect(await suite.rows('SELECT descr FROM shop.item')).toEqual([{ descr: 'zombie' }]);
      await suite.execute("UPDATE shop.item SET descr = 'seen'");
      const ledger = await suite.rows('SELECT * FROM seam.applied');
      release();
      await eventually(() => zombie.sink.status().partitions.length === 0, 'the zombie notices');
      expect(await suite.rows('SELECT descr FROM shop.item')).toEqual([{ descr: 'seen' }]);
      expect(await suite.rows('SELECT * FROM seam.applied')).toEqual(ledger);
      expect(zombie.counts.applied).toBe(1);
      await suite.write(heir, product({ description: 'heir' }, { at: 4 }));
      expect(await suite.rows('SELECT descr FROM shop.item')).toEqual([{ descr: 'heir' }]);
    });

    it('starts over where an operator moved the offsets, also while nothing comes', async () => {
      const bench = await suite.start([item]);
      await suite.write(bench, product({}, { at: 1 }));
      await suite.execute('UPDATE seam.sink_offset SET next_offset = 0, epoch = epoch + 1');
      await eventually(() => bench.counts.unchanged === 1, 'the record is read again');
      await bench.settled();
      expect(bench.sink.status().state).toBe('running');
    });
  });

  it('shows lag displays its offsets once a second at most, and at last where it stands', async () => {
    const startedMs = performance.now();
    const bench = await suite.start([item]);
    for (let at = 1; at <= 20; at += 1) await suite.write(bench, product({ description: `${at}` }, { at }));
    const { shownOffsets } = bench.log;
    await eventually(() => shownOffsets.at(-1)?.[0]?.offset === 20n, 'the last offset is shown');
    expect(shownOffsets.length).toBeLessThanOrEqual(1 + (performance.now() - startedMs) / 1_000);
  });

  describe('crashes', () => {
    const batch = () => [
      moved('a', '-2.000', { at: 1 }),
      moved('b', '-3.000', { at: 1 }),
      moved('a', '-4.000', { at: 2 }),
    ];

    it.each(CRASH_POINTS)('does a batch once when the worker dies at %s', async (point) => {
      let dies = true;
      const hooks = {
        at: (reached: CrashPoint) => {
          if (dies && reached === point) throw new ContractError({ code: 'CRASH', message: `died at ${point}` });
        },
      };
      const bench = await suite.start([movement], { hooks });
      bench.log.append(...batch());
      await expect(bench.sink.done).rejects.toMatchObject({ code: 'CRASH' });
      expect(await suite.count('shop.stk')).toBe(point === 'after-commit' ? 1 : 0);
      dies = false;
      const next = await suite.start([movement], {}, bench.log);
      await next.settled();
      expect(await suite.rows('SELECT qoh FROM shop.stk')).toEqual([{ qoh: '-7.000' }]);
      expect(await suite.count('shop.mv')).toBe(2);
    });

    it.each(CRASH_POINTS)('goes on by itself when its connection dies at %s', async (point) => {
      let left = 2;
      const hooks = {
        at: async (reached: CrashPoint) => {
          if (reached !== point || left === 0) return;
          left -= 1;
          await killSinkConnections(suite);
        },
      };
      const bench = await suite.start([movement], { hooks });
      await suite.write(bench, ...batch());
      await suite.write(bench, moved('c', '-1.000', { at: 1 }));
      expect(left).toBe(0);
      expect(await suite.rows('SELECT qoh FROM shop.stk')).toEqual([{ qoh: '-8.000' }]);
      await eventually(() => bench.sink.status().state === 'running', 'it to say that it runs');
    });

    it('finds out that a batch was committed when the answer got lost', async () => {
      let isLost = true;
      const hooks = {
        at: (point: CrashPoint) => {
          if (!isLost || point !== 'after-commit') return;
          isLost = false;
          throw new TransientError({ code: 'TARGET_UNREACHABLE', message: 'the answer to COMMIT is lost' });
        },
      };
      const bench = await suite.start([movement], { hooks });
      await suite.write(bench, ...batch());
      await suite.write(bench, moved('c', '-1.000', { at: 1 }));
      expect(await suite.rows('SELECT qoh FROM shop.stk')).toEqual([{ qoh: '-8.000' }]);
    });

    it('stops without having written when the target stays away too long', async () => {
      const hooks = {
        at: () => {
          throw new TransientError({ code: 'TARGET_UNREACHABLE', message: 'away' });
        },
      };
      const bench = await suite.start([movement], { hooks, settings: { retryAttemptsMax: 3 } });
      bench.log.append(...batch());
      await expect(bench.sink.done).rejects.toMatchObject({ code: 'TARGET_UNREACHABLE' });
      expect(bench.lines.some(({ message }) => message === 'sink degraded')).toBe(true);
      expect(await suite.count('shop.mv')).toBe(0);
    });

    it('waits for a registry that is away, and sets nothing aside', async () => {
      let left = 3;
      const decode: DecodeBatch = async (records) => {
        left -= 1;
        if (left >= 0) throw new TransientError({ code: 'REGISTRY_UNREACHABLE', message: 'no registry' });
        return decodeTestBatch(records);
      };
      const bench = await suite.start([movement], { decode });
      await suite.write(bench, ...batch());
      expect(bench.lines.map(({ message }) => message)).toContain('sink degraded');
      expect(bench.sink.status()).toMatchObject({ state: 'running', deadLetters: 0, waiting: 0 });
      expect(await suite.count('shop.mv')).toBe(2);
    });

    it('goes on after a table was altered under it', async () => {
      const bench = await suite.start([item]);
      await suite.write(bench, product({}, { at: 1 }));
      await suite.execute('ALTER TABLE shop.item ADD COLUMN added INT');
      await suite.write(bench, product({ description: 'after' }, { at: 2 }));
      expect(await suite.rows('SELECT descr FROM shop.item')).toEqual([{ descr: 'after' }]);
    });
  });

  describe('several workers', () => {
    it('keep shared totals exact', async () => {
      const bench = await suite.start([movement], { groupId: 'first' });
      bench.log.assign('zero', [0]);
      bench.log.assign('one', [1]);
      await bench.stop();
      const settings = { batchRecordsMax: 50 };
      const zero = await suite.start([movement], { groupId: 'zero', settings }, bench.log);
      const one = await suite.start([movement], { groupId: 'one', settings }, bench.log);
      const all = Array.from({ length: 1_000 }, (_, index) =>
        moved(`m${index}`, '1.000', { at: 1, place: String(1 + (index % 5)) }),
      );
      bench.log.append(...all);
      await Promise.all([zero.settled([0]), one.settled([1])]);
      expect(await suite.rows('SELECT DISTINCT qoh FROM shop.stk')).toEqual([{ qoh: '200.000' }]);
      expect(zero.sink.status().echoTag).not.toBe(one.sink.status().echoTag);
    });

    it.each(['a new key', 'a known key'])('lets a plan go that another worker has made stale: %s', async (kind) => {
      let meets = false;
      let other: SinkBench | undefined;
      const hooks = {
        at: async (point: CrashPoint) => {
          if (!meets || point !== 'after-plan') return;
          meets = false;
          other?.log.appendTo(1, product({ description: 'newer' }, { at: 9 }));
          await other?.settled([1]);
        },
      };
      const bench = new SinkBench(suite.database, [item]);
      bench.log.assign('zero', [0]);
      bench.log.assign('one', [1]);
      const zero = await suite.start([item], { groupId: 'zero', hooks }, bench.log);
      other = await suite.start([item], { groupId: 'one' }, bench.log);
      if (kind === 'a known key') {
        bench.log.appendTo(0, product({ description: 'first' }, { at: 1 }));
        await zero.settled([0]);
      }
      meets = true;
      bench.log.appendTo(0, product({ description: 'older' }, { at: 5 }));
      await zero.settled([0]);
      expect(await suite.rows('SELECT descr FROM shop.item')).toEqual([{ descr: 'newer' }]);
      expect(zero.counts.stale).toBe(1);
      expect(await suite.count('seam.parked')).toBe(0);
    });
  });

  describe('echo', () => {
    it('keeps the hash of what it wrote, for entities that are captured here too', async () => {
      const bench = await suite.start([item, member], { bidirectional: ['product'] });
      const written = product({}, { at: 1, hops: 1 });
      await suite.write(bench, written, memberOf({}, { at: 1 }));
      await suite.write(bench, product({}, { at: 2, gone: true }));
      const rows = await suite.rows('SELECT entity, hash, hops FROM seam.echo ORDER BY hops');
      expect(rows).toEqual([
        { entity: 'product', hash: Buffer.alloc(0), hops: 0 },
        { entity: 'product', hash: Buffer.from(canonicalHash(written.value ?? {}, heldFields(item))), hops: 1 },
      ]);
    });

    it('tags its transactions in the log of the database', async () => {
      const tagged = await suite.start([item]);
      const tag = tagged.sink.status().echoTag as string;
      const isSeen = await watchTag(suite, tag);
      await suite.write(tagged, product({}, { at: 1 }));
      expect(await isSeen()).toBe(true);
      await killSinkConnections(suite);
      await suite.write(tagged, product({ description: 'two' }, { at: 2 }));
      const again = await watchTag(suite, tagged.sink.status().echoTag as string);
      await suite.write(tagged, product({ description: 'three' }, { at: 3 }));
      expect(await again()).toBe(true);
    });
  });

  describe('start', () => {
    it('refuses a target that its database does not fit, listing every fault', async () => {
      const wrong = [
        upsert('shop.nowhere', 'sale', { key: { a: to('saleId') }, columns: {}, onDelete: 'delete' }),
        upsert('shop.cust', 'member', {
          key: { nm: to('fullName') },
          columns: { missing: to('tier') },
          onDelete: 'keep',
        }),
        update('shop.item', 'product', { key: { prod_cd: to('productId') }, columns: {}, onDelete: 'delete' }),
        { ...movement, effects: movement.effects.map((effect) => ({ ...effect, column: 'loc' })) },
        contact,
        contact,
      ];
      const failure = (await suite.start(wrong).catch((error: unknown) => error)) as Error;
      expect(failure).toMatchObject({ code: 'TARGET_MISMATCH', class: 'contract' });
      for (const fault of [
        'entity member-contact is declared twice',
        'table shop.nowhere is missing',
        'shop.cust has no column "missing"',
        'shop.cust: (nm) is no primary key',
        'shop.cust.cust_no is NOT NULL',
        'shop.cust.nm: a key column reads fullName',
        "an update of rows that another entity makes can't delete them",
      ]) {
        expect(failure.message).toContain(fault);
      }
    });

    it('refuses to start without its rights', async () => {
      const user = suite.name === 'postgres' ? 'seam_sink' : "seam_sink@'%'";
      const tables = suite.name === 'postgres' ? 'shop.item' : 'shop.*';
      await suite.execute(`REVOKE UPDATE ON ${tables} FROM ${user}`);
      try {
        await expect(suite.start([item])).rejects.toThrow("shop.item: the sink's user lacks UPDATE");
      } finally {
        await suite.execute(`GRANT UPDATE ON ${tables} TO ${user}`);
      }
    });
  });
});

async function killSinkConnections(suite: DialectSuite): Promise<void> {
  if (suite.name === 'postgres') {
    await suite.rows("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'seam_sink'");
    return;
  }
  const processes = await suite.rows("SELECT id FROM information_schema.processlist WHERE user = 'seam_sink'");
  await suite.execute(...processes.map(({ id }) => `KILL ${String(id)}`));
}

/** Answers whether transactions since the call carry the tag. */
async function watchTag(suite: DialectSuite, tag: string): Promise<() => Promise<boolean>> {
  if (suite.name === 'mariadb') {
    const read = async () => String((await suite.rows('SELECT @@gtid_binlog_pos AS pos'))[0]?.pos);
    const before = await read();
    const of = (text: string) => text.split(',').find((part) => part.startsWith(`${tag}-${tag}-`));
    return async () => of(await read()) !== undefined && of(await read()) !== of(before);
  }
  const name = `watch_${Math.random().toString(36).slice(2)}`;
  await suite.execute(`CREATE PUBLICATION ${name} FOR TABLE shop.item`);
  await suite.rows(`SELECT pg_create_logical_replication_slot('${name}', 'pgoutput')`);
  return async () => {
    const found = await suite.rows(
      `SELECT 1 FROM pg_logical_slot_peek_binary_changes('${name}', NULL, NULL, 'proto_version', '1', 'publication_names', '${name}')
       WHERE position('${tag}'::bytea in data) > 0`,
    );
    await suite.rows(`SELECT pg_drop_replication_slot('${name}')`);
    await suite.execute(`DROP PUBLICATION ${name}`);
    return found.length > 0;
  };
}
