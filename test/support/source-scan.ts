/** Reads TypeScript just well enough to count: what is text and what is code, where a function begins and ends. */

/** The same text with the content of strings, templates, regular expressions and comments blanked; every line stays. */
export function blankText(source: string): string {
  const out = source.split('');
  const blank = (from: number, to: number) => {
    for (let at = from; at < to; at += 1) if (out[at] !== '\n') out[at] = ' ';
  };
  // Open braces: true where the brace belongs to `${` of a template, so that its end continues the template.
  const braces: boolean[] = [];
  for (let at = 0; at < source.length; at += 1) {
    const character = source[at] as string;
    const end = endOfText(source, at, out);
    if (end !== null) {
      // A string keeps its quotes: they are a value, and a slash after a value divides.
      if (character === '/') blank(at, end + 1);
      else blank(at + 1, end);
      at = end;
    } else if (character === '{') braces.push(false);
    else if (character === '`' || (character === '}' && braces.pop() === true)) {
      const stop = endOfTemplate(source, at + 1);
      blank(at, stop);
      // What stands between `${` and `}` is code again; its braces are no block.
      if (source[stop] === '{') braces.push(true);
      blank(stop, stop + 1);
      at = stop;
    }
  }
  return out.join('');
}

/** Place of the last character of a string, comment or regular expression that starts here, or null. */
function endOfText(source: string, at: number, out: readonly string[]): number | null {
  const two = source.slice(at, at + 2);
  if (two === '//') return before(source.indexOf('\n', at), source);
  if (two === '/*') return source.indexOf('*/', at) + 1;
  const character = source[at];
  if (character === "'" || character === '"') return endOfQuoted(source, at, character);
  if (character === '/' && mayStartRegex(out.slice(Math.max(0, at - 12), at).join(''))) return endOfRegex(source, at);
  return null;
}

const before = (index: number, source: string): number => (index < 0 ? source.length : index) - 1;

function endOfQuoted(source: string, at: number, quote: string): number {
  let end = at + 1;
  while (source[end] !== quote && source[end] !== '\n' && end < source.length) end += source[end] === '\\' ? 2 : 1;
  return end;
}

/** A slash after a value divides; anywhere else it opens a regular expression. */
function mayStartRegex(codeBefore: string): boolean {
  const last = codeBefore.trimEnd();
  return last === '' || /([(,=:[!&|?{};+]|=>)$/.test(last) || /\b(return|typeof|case)$/.test(last);
}

function endOfRegex(source: string, at: number): number {
  let inClass = false;
  let end = at + 1;
  for (; end < source.length && source[end] !== '\n'; end += 1) {
    if (source[end] === '\\') end += 1;
    else if (source[end] === '[') inClass = true;
    else if (source[end] === ']') inClass = false;
    else if (source[end] === '/' && !inClass) break;
  }
  return end;
}

/** Place of the closing backtick, or of the brace of the next `${`. */
function endOfTemplate(source: string, from: number): number {
  for (let at = from; at < source.length; at += 1) {
    if (source[at] === '\\') at += 1;
    else if (source[at] === '`') return at;
    else if (source[at] === '$' && source[at + 1] === '{') return at + 1;
  }
  return source.length;
}

export type FunctionSpan = { readonly line: number; readonly lines: number };

type Frame = { readonly start: number; readonly isFunction: boolean; paren: { from: number; to: number } | null };

const control = /\b(if|for|while|switch|catch|await)\s*$/;

/** Every function with its first line and number of lines. The groups of a test file (`describe`) are none. */
export function functionsOf(source: string): FunctionSpan[] {
  const code = blankText(source);
  const found: FunctionSpan[] = [];
  const frames: Frame[] = [{ start: 0, isFunction: false, paren: null }];
  const lineOf = (at: number) => code.slice(0, at).split('\n').length;
  for (let at = 0; at < code.length; at += 1) {
    const character = code[at] as string;
    if (character === ';') (frames.at(-1) as Frame).paren = null;
    else if ('({['.includes(character)) frames.push(opened(code, at, frames.at(-1) as Frame));
    else if (')}]'.includes(character) && frames.length > 1) {
      const frame = frames.pop() as Frame;
      if (character === ')') (frames.at(-1) as Frame).paren = { from: frame.start, to: at };
      // The braces of a type in `): Promise<{ … }> {` are not the body yet.
      if (character === '}' && !/^\s*[>|&[{,)]/.test(code.slice(at + 1, at + 40)))
        (frames.at(-1) as Frame).paren = null;
      if (frame.isFunction) found.push({ line: lineOf(frame.start), lines: lineOf(at) - lineOf(frame.start) + 1 });
    }
  }
  return found;
}

function opened(code: string, at: number, parent: Frame): Frame {
  const plain = { start: at, isFunction: false, paren: null };
  if (code[at] !== '{') return plain;
  const arrow = /=>\s*$/.test(code.slice(Math.max(0, at - 40), at));
  if (arrow) {
    const line = code.slice(code.lastIndexOf('\n', parent.start) + 1, parent.start + 1);
    return { ...plain, isFunction: !/^\s*describe\b/.test(line) };
  }
  if (parent.paren === null) return plain;
  const gap = code.slice(parent.paren.to + 1, at).trim();
  const isBody =
    gap === ''
      ? !control.test(code.slice(Math.max(0, parent.paren.from - 20), parent.paren.from))
      : gap.startsWith(':');
  return isBody ? { ...plain, start: parent.paren.from, isFunction: true } : plain;
}

/** Modules named by import and export statements and by `import(…)`, as they stand there. */
export function importsOf(source: string): string[] {
  const statement = /^(?:import|export)\b[^'";]*?\bfrom\s*'([^']+)'|^import\s*'([^']+)'|\bimport\(\s*'([^']+)'/gm;
  return [...source.matchAll(statement)].map(([, named, bare, late]) => (named ?? bare ?? late) as string);
}
