/** Turns what the stack tells into lines: on a terminal one live line that shows what is still awaited. */
import type { StackEvent, StackProgress } from '../stack/events.ts';
import { bar, megabytes, paint, seconds, type Terminal } from './terminal.ts';

const plainDownloadEveryMs = 5_000;
const liveEveryMs = 100;

export function stackProgress(terminal: Terminal): StackProgress {
  const awaited = new Map<string, number>();
  let lastDownloadMs = Date.now();
  const showAwaited = () => {
    const names = [...awaited].map(([name, sinceMs]) => `${name} ${Math.floor((Date.now() - sinceMs) / 1000)} s`);
    if (names.length > 0) terminal.live(`  waiting for ${names.join(', ')}`);
  };
  const timer = setInterval(showAwaited, 1_000);
  timer.unref();
  return (event) => {
    switch (event.type) {
      case 'starting':
      case 'stopping':
        awaited.set(event.name, Date.now());
        if (!terminal.isLive) terminal.line(`  ${event.name} ${event.type}`);
        break;
      case 'download': {
        const everyMs = terminal.isLive ? liveEveryMs : plainDownloadEveryMs;
        if (Date.now() - lastDownloadMs < everyMs) return;
        lastDownloadMs = Date.now();
        if (terminal.isLive) terminal.live(downloadText(event));
        else terminal.line(downloadText(event));
        break;
      }
      case 'unpacking':
        terminal.live(`  unpacking ${event.name}`);
        break;
      default:
        if ('name' in event) awaited.delete(event.name);
        terminal.line(finishedText(event));
    }
    showAwaited();
  };
}

function downloadText(event: Extract<StackEvent, { type: 'download' }>): string {
  const { receivedBytes, totalBytes, filesDone, filesTotal } = event;
  const amount = `${megabytes(receivedBytes)} of ${megabytes(totalBytes)}`;
  return `  fetching ${bar(receivedBytes, totalBytes)} ${amount}, ${filesDone} of ${filesTotal} files`;
}

type Finished = Exclude<StackEvent, { type: 'starting' | 'stopping' | 'download' | 'unpacking' }>;

function finishedText(event: Finished): string {
  const done = paint.green('✔');
  switch (event.type) {
    case 'waiting':
      return `  ${event.reason}, waiting for it`;
    case 'downloaded':
      return `${done} fetched ${megabytes(event.totalBytes)} in ${seconds(event.durationMs)}`;
    case 'unpacked':
      return `${done} unpacked ${event.name} in ${seconds(event.durationMs)}`;
    case 'ready':
      return `${done} ${event.name} ready in ${seconds(event.durationMs)}  ${paint.dim(event.address)}`;
    case 'running':
      return `${done} ${event.name} runs  ${paint.dim(event.address)}`;
    case 'stopped':
      return `${done} ${event.name} stopped in ${seconds(event.durationMs)}${event.killed ? ', by SIGKILL' : ''}`;
  }
}
