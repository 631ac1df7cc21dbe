/**
 * What every worker of a comparison does beside its work: take an order, tell how it stands, end the work when told to, and
 * wait for the next order. The process stays, so that its compiled code does: the peer's Java does, too.
 */
import type { WorkerReport } from '../support/worker-process.ts';

const REPORT_EVERY_MS = 250;

export type Work = {
  readonly done: Promise<void>;
  readonly stop: () => Promise<void>;
  readonly report: () => WorkerReport;
};

export function takeOrders<Order>(start: (order: Order) => Promise<Work>): void {
  let work: Work | undefined;
  let timer: NodeJS.Timeout | undefined;
  const tell = (said: WorkerReport) => {
    if (process.connected) process.send?.(said);
  };
  const fail = (error: Error) => {
    clearInterval(timer);
    process.stderr.write(`${error.stack}\n`);
    tell({ state: 'failed', reason: error.message });
  };
  const begin = async (order: Order) => {
    work = await start(order);
    work.done.catch(fail);
    timer = setInterval(() => tell(work?.report() ?? { state: 'running' }), REPORT_EVERY_MS);
  };
  const end = async () => {
    clearInterval(timer);
    await work?.stop();
    await work?.done.catch(() => undefined);
    const figures = work?.report().figures;
    work = undefined;
    tell({ state: 'idle', ...(figures === undefined ? {} : { figures }) });
  };
  process.on('message', (message: { order?: Order }) => {
    (message.order === undefined ? end() : begin(message.order)).catch(fail);
  });
  const leave = () => void end().finally(() => process.exit(0));
  process.once('SIGTERM', leave).once('SIGINT', leave).once('disconnect', leave);
  tell({ state: 'idle' });
}
