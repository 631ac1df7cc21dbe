/**
 * Why: a network that swallows everything leaves connections half open, and no driver says so by itself. A sink that waited for
 * ever would look healthy while its target falls behind.
 */
import { afterEach, expect, it } from 'vitest';
import { TransientError } from '../../core/errors.ts';
import type { Session } from '../../sinks/dialects/dialect.ts';
import { dialects } from '../../sinks/dialects/index.ts';
import { Link } from '../faults/link.ts';
import { describeDialects } from '../support/dialect-suite.ts';
import { choosePorts } from '../../stack/ports.ts';

const STATEMENT_TIMEOUT_MS = 500;
/** The margin for the server's own answer, twice. */
const NOTICED_WITHIN_MS = 12_000;

describeDialects((suite) => {
  const opened: { link?: Link; session?: Session } = {};
  afterEach(async () => {
    await opened.session?.close();
    await opened.link?.close();
  });

  it('is taken for gone when it does not answer, and found again', async () => {
    const { port = 0 } = await choosePorts(['port'], {});
    const link = new Link('target', port, suite.database.sink.port, 1);
    await link.listen();
    opened.link = link;
    const open = () =>
      dialects[suite.name].open(
        { ...suite.database.sink, port },
        { statementTimeoutMs: STATEMENT_TIMEOUT_MS, owner: 'silent', system: 'silent' },
      );
    const session = await open();
    opened.session = session;
    await session.begin();
    link.cut('silent');

    const startedMs = performance.now();
    const error = await session.commit().catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(TransientError);
    expect(error).toMatchObject({ code: 'TARGET_UNREACHABLE', message: expect.stringContaining('no answer') });
    expect(performance.now() - startedMs).toBeLessThan(NOTICED_WITHIN_MS);
    expect(session.isOpen).toBe(false);
    await session.close();

    link.heal();
    opened.session = await open();
    await opened.session.begin();
    await opened.session.commit();
  }, 60_000);
});
