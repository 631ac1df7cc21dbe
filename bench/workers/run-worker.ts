/**
 * What every worker of a comparison does beside its work: take an order, tell how it stands, end the work when told to, and
 * wait for the next order. The process stays, so that its compiled code does: the peer's Java does, too.
 */
import { Session } from 'node:inspector/promises';
import { type TimeShare, timeShares } from '../support/time-shares.ts';
import type { WorkerReport } from '../support/worker-process.ts';

const REPORT_EVERY_MS = 250;
const projectUrl = new URL('../../', import.meta.url).href;

export type Work = {
  readonly done: Promise<void>;
  readonly stop: () => Promise<void>;
  readonly report: () => WorkerReport;
};

export function takeOrders<Order>(start: (order: Order) => Promise<Work>): void {
  let work: Work | undefined;
  let timer: NodeJS.Timeout | undefined;
  let stopProfile: (() => Promise<TimeShare[]>) | undefined;
  const tell = (said: WorkerReport) => {
    if (process.connected) process.send?.(said);
  };
  const fail = (error: Error) => {
    clearInterval(timer);
    process.stderr.write(`${error.stack}\n`);
    tell({ state: 'failed', reason: error.message });
  };
  const begin = async (order: Order, isProfiled: boolean) => {
    if (isProfiled) stopProfile = await startProfile();
    work = await start(order);
    work.done.catch(fail);
    timer = setInterval(() => tell(work?.report() ?? { state: 'running' }), REPORT_EVERY_MS);
  };
  const end = async () => {
    clearInterval(timer);
    await work?.stop();
    await work?.done.catch(() => undefined);
    const figures = work?.report().figures;
    const profile = await stopProfile?.();
    work = undefined;
    stopProfile = undefined;
    tell({
      state: 'idle',
      ...(figures === undefined ? {} : { figures }),
      ...(profile === undefined ? {} : { profile }),
    });
  };
  process.on('message', ({ order, isProfiled = false }: { order?: Order; isProfiled?: boolean }) => {
    (order === undefined ? end() : begin(order, isProfiled)).catch(fail);
  });
  const leave = () => void end().finally(() => process.exit(0));
  process.once('SIGTERM', leave).once('SIGINT', leave).once('disconnect', leave);
  tell({ state: 'idle' });
}

async function startProfile(): Promise<() => Promise<TimeShare[]>> {
  const session = new Session();
  session.connect();
  await session.post('Profiler.enable');
  await session.post('Profiler.start');
  return async () => {
    const { profile } = await session.post('Profiler.stop');
    session.disconnect();
    return timeShares(profile, projectUrl);
  };
}
