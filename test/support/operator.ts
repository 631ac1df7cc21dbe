/** An operator at a running stack: types commands as a person does, and does word for word what Seam says. */
import { execFile } from 'node:child_process';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { currentStackSettings } from '../../stack/settings.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

export type Printed = {
  readonly command: string;
  readonly exitCode: number;
  readonly text: string;
  readonly standardOutput: string;
};

export type Desk = {
  readonly stateDirectory: string;
  readonly deploymentFile: string;
  /** A copy of the project whose files were edited; this project when left out. */
  readonly folder?: string;
  /** `seam run <worker>` in a window of its own: it goes on until ctrl-c. */
  readonly run?: (worker: string) => Promise<void>;
};

/** `command`: as it stands in a hint, `seam connectors status crm`. Both streams come back in one text. */
export function typed(desk: Desk, command: string, limitMs = 240_000): Promise<Printed> {
  const [program = '', ...words] = wordsOf(command);
  // `npm run seam -- stack up`
  const args = words[0] === '--' ? words.slice(1) : words;
  if (program !== 'seam') throw new Error(`not a command of Seam: ${command}`);
  const folder = desk.folder ?? root;
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      [path.join(folder, 'cli', 'main.ts'), ...args],
      {
        cwd: folder,
        timeout: limitMs,
        maxBuffer: 64 * 1024 * 1024,
        env: {
          ...currentStackSettings().baseEnvironment,
          SEAM_STATE: desk.stateDirectory,
          SEAM_DEPLOYMENT: desk.deploymentFile,
          NO_COLOR: '1',
        },
      },
      (error, stdout, stderr) => {
        const code = error === null ? 0 : typeof error.code === 'number' ? error.code : 1;
        resolve({ command, exitCode: code, text: `${stdout}${stderr}`, standardOutput: stdout });
      },
    );
  });
}

/** Types each of the commands that the hint or the next step of this code names. */
export async function follow(desk: Desk, text: string, code: string): Promise<Printed[]> {
  const commands = commandsOf(text, code);
  if (commands.length === 0) throw new Error(`${code} names no command in:\n${text}`);
  const printed: Printed[] = [];
  for (const command of commands) printed.push(await typedOrRun(desk, command));
  return printed;
}

async function typedOrRun(desk: Desk, command: string): Promise<Printed> {
  const [, worker] = /^seam run (\S+)$/.exec(command) ?? [];
  if (worker === undefined || desk.run === undefined) return typed(desk, command);
  await desk.run(worker);
  return { command, exitCode: 0, text: '', standardOutput: '' };
}

/** `[CODE]` of an error or a condition, `[CODE, class]` of a dead letter. */
export function says(text: string, code: string): boolean {
  return text.includes(`[${code}]`) || text.includes(`[${code}, `);
}

/** Commands in the hint or the next step below the line that ends with this code, in their order. */
export function commandsOf(text: string, code: string): string[] {
  const lines = text.split('\n');
  const at = lines.findIndex((line) => says(line, code));
  if (at < 0) throw new Error(`${code} was not said in:\n${text}`);
  const advice = lines.slice(at + 1).find((line) => /^\s*(hint|next):? /.test(line)) ?? '';
  const found = advice.matchAll(/\bseam( (?:--?[\w-]+|'[^']*'|"[^"]*"|[^\s,;"'`)]+))+/g);
  return [...found].map(([command]) => cut(command.replace(/[.:]$/, '')));
}

/** Without the words of a sentence that go on behind it. */
function cut(command: string): string {
  const words = wordsOf(command);
  const end = words.findIndex((word) => ['and', 'or', 'once', 'which', 'then'].includes(word));
  return (end < 0 ? words : words.slice(0, end)).map(quoted).join(' ');
}

function wordsOf(command: string): string[] {
  return (command.match(/'[^']*'|"[^"]*"|\S+/g) ?? []).map((word) => word.replace(/^(['"])(.*)\1$/, '$2'));
}

const quoted = (word: string) => (/\s/.test(word) ? `'${word}'` : word);
