/** What the stack tells while it works. The library prints nothing itself: the command line and the tests decide. */
export type StackEvent =
  | { type: 'waiting'; reason: string }
  | { type: 'download'; name: string; receivedBytes: number; totalBytes: number; filesDone: number; filesTotal: number }
  | { type: 'downloaded'; name: string; totalBytes: number; durationMs: number }
  | { type: 'unpacking'; name: string }
  | { type: 'unpacked'; name: string; durationMs: number }
  | { type: 'starting'; name: string }
  | { type: 'ready'; name: string; durationMs: number; address: string }
  | { type: 'running'; name: string; address: string }
  | { type: 'stopping'; name: string }
  | { type: 'stopped'; name: string; durationMs: number; killed: boolean };

export type StackProgress = (event: StackEvent) => void;

export const silent: StackProgress = () => {};
