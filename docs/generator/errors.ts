/** docs/reference/errors.md: every error code, as it stands in the code. */
import {
  ConfigError,
  ContractError,
  exitCodeOf,
  InvariantError,
  RecordError,
  TransientError,
} from '../../core/errors.ts';
import { code, generatedNotice, table } from './markdown.ts';
import type { SourceFile } from './source-files.ts';

type Found = {
  readonly kind: string;
  readonly code: string;
  readonly message: string;
  readonly hint: string;
  readonly file: string;
};

/** In the order of what an operator does first. */
const kinds = [
  {
    error: ConfigError,
    title: 'Refuses to start',
    about: 'A setting, a file or a right is missing or wrong. Nothing was started.',
  },
  {
    error: TransientError,
    title: 'Tried again',
    about:
      'What is needed does not answer, or somebody else has it. A worker tries again with growing pauses, up to a limit, ' +
      'and then stops without committing: start it again when the cause is gone.',
  },
  {
    error: ContractError,
    title: 'Stops this table or target',
    about: 'A schema, a table or a declaration does not fit. Needs a decision.',
  },
  {
    error: RecordError,
    title: 'Sets the record aside',
    about: 'One record is at fault: it waits as a dead letter, and with it later records of its key.',
  },
  { error: InvariantError, title: 'Crashes', about: 'An assertion failed. This is a bug of Seam: please report it.' },
];

export function errorsPage(sources: readonly SourceFile[]): string {
  const constants = constantsIn(sources);
  const found = sources.flatMap((source) => [...errorsIn(source, constants), ...refusalsIn(source)]);
  const parts = kinds.map(({ error, title, about }) => {
    const exit = exitCodeOf(new error({ code: '', message: '' }));
    return `\n## ${title}: \`${error.name}\`, exit code ${exit}\n\n${about}\n\n${rows(found, error.name)}`;
  });
  return [
    generatedNotice,
    '# Errors\n\nEvery error has a code that stays, one of five classes that decides what happens, and three lines of text:\n',
    'what failed, where, and what to do. `<name>` stands for a part that differs each time; it never holds the value of a\n',
    'personal field.\n',
    ...parts,
    '\n## Conditions of a source\n\nFound by a check of the source (`seam connectors status`, and every few seconds while workers run). A condition that ',
    'halts stops its table, or every table of its source, until it is gone; a warning stops nothing. What heals by itself is read again by Seam ',
    '(`healing` in the deployment file); only deletions beyond the limit wait for the command that is shown.\n\n',
    conditionRows(sources),
    '\n## Reasons why a value is refused\n\nA mapping or a target that would have to round, cut or guess refuses the value. The record is set aside ',
    'with one of these codes.\n\n',
    rows(found, 'Refusal'),
  ].join('');
}

/** A check is one file, with its id, its severity, its texts and what to do next. */
function conditionRows(sources: readonly SourceFile[]): string {
  const found = sources.flatMap((source) => [...conditionsIn(source), ...lossesIn(source)]);
  const byId = Map.groupBy(found, ({ id }) => id);
  const merged = [...byId]
    .sort(([left], [right]) => (left < right ? -1 : 1))
    .map(([id, same]) => {
      const all = (part: 'severity' | 'texts' | 'nexts' | 'file') =>
        [...new Set(same.flatMap((one) => one[part]))].filter((text) => text !== '').join('\n');
      const heals = same.some(({ isHealed }) => isHealed) ? 'by itself' : '';
      return [code(id), all('severity'), heals, all('texts'), all('nexts'), all('file')];
    });
  return table(['code', 'severity', 'heals', 'what is wrong', 'what to do', 'found in'], merged);
}

type FoundCondition = {
  readonly id: string;
  readonly severity: string;
  /** Seam reads the table again. */
  readonly isHealed: boolean;
  readonly texts: readonly string[];
  readonly nexts: readonly string[];
  readonly file: string;
};

const HEALED = /\bhealedByReading: '/;

function conditionsIn({ file, text }: SourceFile): FoundCondition[] {
  const declared = /\bid: (?:'([A-Z_]+)'|NOT_CHECKED),\s*severity: (?:'(halt|warning)')?/.exec(text);
  if (!file.startsWith('ops/sources/') || declared === null) return [];
  const written = (name: string) =>
    [...text.matchAll(new RegExp(`\\b(?:${name}: |const ${name} = )(?=['\`\\w])`, 'g'))]
      .map((match) => readable(expressionAt(text, match.index + match[0].length)[0].split(';\n')[0]))
      .filter((shown) => shown !== '<string>');
  const [, id = 'SOURCE_NOT_CHECKED', severity = 'halt or warning'] = declared;
  const isHealed = HEALED.test(text);
  return [{ id, severity, isHealed, texts: written('text'), nexts: written('next'), file }];
}

/** `lossCheck('LOG_STATEMENT', 'halt', kinds, (place) => text)`, where one look answers several checks. */
function lossesIn({ file, text }: SourceFile): FoundCondition[] {
  const next = /\bnext: (?=[`'])/.exec(text);
  const nexts = next === null ? [] : [readable(expressionAt(text, next.index + next[0].length)[0])];
  return [...text.matchAll(/lossCheck\(\s*'([A-Z_]+)',\s*'(halt|warning)',[^>]*=>\s*/g)].map((match) => {
    const [written] = expressionAt(text, match.index + match[0].length);
    const isHealed = match[2] === 'halt' && HEALED.test(text);
    return { id: match[1] as string, severity: match[2] as string, isHealed, texts: [readable(written)], nexts, file };
  });
}

function rows(found: readonly Found[], kind: string): string {
  const byCode = Map.groupBy(
    found.filter((error) => error.kind === kind),
    (error) => error.code,
  );
  const merged = [...byCode]
    .sort(([left], [right]) => (left < right ? -1 : 1))
    .map(([name, same]) => {
      const all = (part: 'message' | 'hint' | 'file') =>
        [...new Set(same.map((error) => error[part]))].filter((text) => text !== '').join('\n');
      return [code(name), all('message'), ...(kind === 'Refusal' ? [] : [all('hint')]), all('file')];
    });
  const header = kind === 'Refusal' ? ['code', 'the value'] : ['code', 'what failed', 'what to do'];
  return table([...header, 'raised in'], merged);
}

/** `new SomeError({ code: …, message: …, hint: … })`. One that hands on another error's code is listed where that one is. */
function errorsIn({ file, text }: SourceFile, constants: ReadonlyMap<string, string>): Found[] {
  return [...text.matchAll(/new (Config|Transient|Contract|Record|Invariant|Table)Error\(\{/g)].flatMap((match) => {
    const start = match.index + match[0].length;
    const parts = properties(text, start + spaceAt(text, start));
    const written = parts.get('code') ?? '';
    const name = literal(written) ?? constants.get(written);
    if (name === undefined) return [];
    const found = {
      // a contract of one table of a target
      kind: match[1] === 'Table' ? 'ContractError' : `${match[1]}Error`,
      code: name,
      message: readable(parts.get('message')),
      hint: readable(parts.get('hint')),
      file,
    };
    return [found];
  });
}

function refusalsIn({ file, text }: SourceFile): Found[] {
  return [...text.matchAll(/new Refusal\(\s*'([A-Z_]+)',\s*/g)].map((match) => {
    const [message] = expressionAt(text, match.index + match[0].length);
    return { kind: 'Refusal', code: match[1] as string, message: readable(message), hint: '', file };
  });
}

function constantsIn(sources: readonly SourceFile[]): Map<string, string> {
  const found = sources.flatMap(({ text }) => [...text.matchAll(/^(?:export )?const ([A-Z_]+) = '([A-Z_]+)';$/gm)]);
  return new Map(found.map(([, name, value]) => [name as string, value as string]));
}

/** The properties of the object literal whose content starts at `from`, as they are written; `...parts` are looked up. */
function properties(text: string, from: number): Map<string, string> {
  const found = new Map<string, string>();
  for (let at = from; at < text.length && text[at] !== '}'; ) {
    const [all, spread, name = '', colon] = /^(\.\.\.)?(\w*)\s*(:?)\s*/.exec(text.slice(at)) ?? [''];
    const [value, end] = expressionAt(text, at + all.length);
    const elsewhere = spread === undefined ? -1 : text.lastIndexOf(`const ${name} = {`, at);
    if (elsewhere >= 0) {
      const start = text.indexOf('{', elsewhere) + 1;
      for (const [key, expression] of properties(text, start + spaceAt(text, start))) found.set(key, expression);
    } else if (spread === undefined && name !== '') found.set(name, colon === ':' ? value : name);
    at = text[end] === ',' ? end + 1 : end;
    at += spaceAt(text, at);
  }
  return found;
}

const spaceAt = (text: string, at: number): number => /^(\s|\/\/.*\n)*/.exec(text.slice(at))?.[0].length ?? 0;

/** The expression that starts here, up to the comma or bracket that ends it. */
function expressionAt(text: string, from: number): [string, number] {
  let depth = 0;
  for (let at = from; at < text.length; at += 1) {
    const character = text[at] as string;
    if (character === "'" || character === '"' || character === '`') at = endOfText(text, at);
    else if ('({['.includes(character)) depth += 1;
    else if (depth > 0 && ')}]'.includes(character)) depth -= 1;
    else if (depth === 0 && ',)}]'.includes(character)) return [text.slice(from, at).trim(), at];
  }
  return [text.slice(from), text.length];
}

function endOfText(text: string, from: number): number {
  const quote = text[from];
  for (let at = from + 1; at < text.length; at += 1) {
    if (text[at] === '\\') at += 1;
    else if (text[at] === quote) return at;
    else if (quote === '`' && text.startsWith('${', at)) at = expressionAt(text, at + 2)[1];
  }
  return text.length;
}

const literal = (expression: string): string | undefined => /^'([^']*)'$/.exec(expression)?.[1];

/** As a person meets it: text as it is, what differs each time as `<name>`. */
function readable(expression: string | undefined): string {
  if (expression === undefined || expression === 'undefined') return '';
  let shown = '';
  for (let at = 0; at < expression.length; at += 1) {
    const quote = expression[at] as string;
    if (!`'"\``.includes(quote)) continue;
    const end = endOfText(expression, at);
    shown += `${shown === '' ? '' : ' … '}${quote === '`' ? templateText(expression.slice(at + 1, end)) : unescaped(expression.slice(at + 1, end))}`;
    at = end;
  }
  return shown === '' ? placeholder(expression) : shown;
}

function templateText(template: string): string {
  let shown = '';
  for (let at = 0; at < template.length; at += 1) {
    if (template.startsWith('${', at)) {
      const [inner, end] = expressionAt(template, at + 2);
      shown += placeholder(inner);
      at = end;
    } else shown += template[at];
  }
  return unescaped(shown);
}

const unescaped = (text: string): string => text.replaceAll(/\\(['"`])/g, '$1').replaceAll('\\n', '\n');

/** What stands for it: `error.cause.message` → `<message>`, `sha256.slice(0, 12)` → `<sha256>`, `n === 1 ? '' : 's'` → `(s)`. */
function placeholder(expression: string): string {
  const ending = /\? '' : '(\w+)'$/.exec(expression)?.[1];
  if (ending !== undefined) return `(${ending})`;
  const [, object, argument] = /^([\w.?!#]*\w)?[.?!]*\b\w+\((.*)$/s.exec(expression) ?? [];
  if (object === undefined || object === 'Object') return argument === undefined ? named(expression) : named(argument);
  return named(object);
}

function named(expression: string): string {
  const path = /^[\w.?!#]*?(\w+)(?: as \w+)?\W*$/.exec(expression)?.[1];
  const word = path ?? /[A-Za-z_]\w*/.exec(expression)?.[0] ?? '…';
  return `<${word === 'length' ? 'number' : word}>`;
}
