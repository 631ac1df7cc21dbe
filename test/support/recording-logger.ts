/** Keeps what was logged, for tests that ask whether and how often something was said. */
import type { Logger } from '../../core/ports.ts';

type Entry = {
  readonly level: keyof Logger;
  readonly fields: Readonly<Record<string, unknown>>;
  readonly text: string;
};

export class RecordingLogger implements Logger {
  readonly entries: Entry[] = [];
  readonly error = (fields: object, text: string) => this.#add('error', fields, text);
  readonly warn = (fields: object, text: string) => this.#add('warn', fields, text);
  readonly info = (fields: object, text: string) => this.#add('info', fields, text);
  readonly debug = (fields: object, text: string) => this.#add('debug', fields, text);

  #add(level: keyof Logger, fields: object, text: string): void {
    this.entries.push({ level, fields: { ...fields }, text });
  }
}

/** `<level> <text> <code>` of each entry. */
export function loggedLines({ entries }: RecordingLogger): string[] {
  return entries.map(({ level, fields, text }) => `${level} ${text} ${fields.code}`);
}
