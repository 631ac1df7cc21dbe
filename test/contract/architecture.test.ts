/**
 * What reviewers would otherwise have to say: who may import whom, how long things may be, what they may be called.
 * Exceptions are counted in `exceptions`, and the numbers only go down.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { describe, expect, test } from 'vitest';
import { functionsOf, importsOf } from '../support/source-scan.ts';

const anything = ['adapters', 'avro', 'connectors', 'core', 'ops', 'processors/**', 'sinks/**', 'stack'];

/**
 * The arrows: part → what it may import, beside itself. The longest name that fits a path is its part; `/**` means a part
 * with the parts inside it.
 * `avro ← core ←` declarations, engines and edges, which never import one another; what is below the line joins them.
 */
const arrows: Readonly<Record<string, readonly string[]>> = {
  avro: [],
  core: ['avro'],
  // declarations: a system is data
  connectors: ['avro', 'core'],
  'sinks/targets': ['avro', 'core'],
  'sinks/index.ts': ['core', 'sinks/targets'],
  'processors/steps': ['avro', 'core'],
  // engines
  processors: ['avro', 'core'],
  'sinks/engine': ['avro', 'core', 'sinks/dialects/dialect.ts'],
  // edges; dialect.ts is the port between engine and dialects, and holds no code of either
  'sinks/dialects/dialect.ts': ['avro', 'core'],
  'sinks/dialects': ['avro', 'core', 'sinks/dialects/dialect.ts'],
  adapters: ['avro', 'core'],
  stack: ['core'],
  // ---
  'processors/main.ts': ['adapters', 'avro', 'connectors', 'core', 'processors/**'],
  'sinks/main.ts': ['adapters', 'avro', 'core', 'sinks/**'],
  ops: anything,
  cli: anything,
  demo: [...anything, 'cli'],
  bench: [...anything, 'demo'],
  deploy: ['core', 'stack'],
  docs: [...anything, 'bench', 'cli', 'deploy'],
  test: [...anything, 'bench', 'cli', 'demo', 'deploy', 'docs'],
};

/** Folders whose own folders know nothing of one another: one system, one database. */
const isolated = ['connectors', 'sinks/targets', 'sinks/dialects'];

/** npm package → where it may be imported: a library behind a port is replaced in one place. */
const packages: Readonly<Record<string, readonly string[]>> = {
  kafkajs: ['adapters/kafka', 'bench', 'test'],
  minizlib: ['adapters/kafka'],
  '@kafkajs/confluent-schema-registry': ['adapters'],
  '@platformatic/kafka': ['bench'],
  avsc: ['adapters', 'bench', 'test'],
  pg: ['sinks/dialects', 'adapters', 'ops', 'stack/services', 'demo', 'bench', 'test'],
  'pg-cursor': ['ops'],
  mariadb: ['sinks/dialects', 'adapters', 'ops', 'stack/services', 'demo', 'bench', 'test'],
  zod: [
    'core',
    'adapters',
    'processors/settings.ts',
    'sinks/engine/settings.ts',
    'ops/operations/replay',
    'ops/status/status-topic.ts',
    'docs',
    'demo/main.ts',
    'bench/main.ts',
  ],
  luxon: ['core', 'demo', 'test'],
  pino: ['adapters/logger.ts'],
  commander: ['cli', 'docs', 'test'],
  picocolors: ['cli', 'demo'],
  tar: ['stack'],
  yauzl: ['stack', 'test'],
  yaml: ['test'],
  vitest: ['test', 'vitest.config.ts'],
  'fast-check': ['test'],
};

/** The environment is read once, where a program starts, and passed down as a value. */
const environmentReaders = ['cli', 'stack/settings.ts', 'demo/main.ts', 'bench/main.ts'];

const functionLinesMax = 70;
const fileLinesMax = 400;
const forbiddenWords = ['sync', 'manager', 'handler', 'util', 'utils', 'helper', 'helpers'];

/** What stands today, by rule and file. A number may go down, to nothing at last; the test refuses to let it grow. */
const exceptions: Readonly<Record<string, Readonly<Record<string, number>>>> = {
  arrows: {
    'avro/generated/entities.ts': 1, // the type of the table that core's records are decoded by
  },
  environment: {
    'stack/stack.ts': 1, // default of an argument
    'stack/lock-artifacts.ts': 1, // a maintainer's program
    'test/support/fidelity/sources.ts': 1, // the servers' own settings, in another time zone
    'test/support/holds.ts': 1, // SEED of a property run
    'test/property/sink-plan.test.ts': 2, // SEED and RUNS
  },
  functionLines: {
    // a suite that runs for every dialect is one block
    'test/contract/dialect.test.ts': 1,
    'test/contract/dialect-recovery.test.ts': 1,
    'test/contract/dialect-set-aside.test.ts': 1,
    'test/contract/replay.test.ts': 1,
  },
  fileLines: {},
  names: {},
};

const root = join(import.meta.dirname, '..', '..');
const files = ['.', ...Object.keys(arrows).filter((part) => !part.includes('/'))].flatMap((folder) =>
  readdirSync(join(root, folder), { recursive: folder !== '.', withFileTypes: true })
    .filter((entry) => entry.isFile() && !entry.parentPath.includes('node_modules'))
    .map((entry) =>
      normalize(join(entry.parentPath, entry.name))
        .slice(root.length + 1)
        .replaceAll('\\', '/'),
    ),
);
const sources = new Map(
  files.filter((file) => file.endsWith('.ts')).map((file) => [file, readFileSync(join(root, file), 'utf8')] as const),
);

const isWithin = (file: string, place: string) => file === place || file.startsWith(`${place}/`);
const partOf = (file: string): string | undefined =>
  Object.keys(arrows)
    .filter((part) => isWithin(file, part))
    .sort((left, right) => right.length - left.length)[0];

const fits = (file: string, place: string): boolean =>
  place.endsWith('/**') ? isWithin(file, place.slice(0, -3)) : partOf(file) === place;

/** Fails for every file that breaks the rule more often than it may, and for every number that could be lowered. */
function holds(rule: string, faultsOf: (file: string, source: string) => readonly string[]): void {
  const allowed = exceptions[rule] ?? {};
  const complaints: string[] = [];
  for (const [file, source] of sources) {
    const faults = faultsOf(file, source);
    const allowedFaults = allowed[file] ?? 0;
    if (faults.length > allowedFaults) complaints.push(...faults.map((fault) => `${file}: ${fault}`));
    if (faults.length < allowedFaults) complaints.push(`${file}: lower its exception to ${faults.length}`);
  }
  for (const file of Object.keys(allowed)) if (!sources.has(file)) complaints.push(`${file}: gone, drop its exception`);
  expect(complaints, `rule "${rule}"`).toEqual([]);
}

/** Files of this repository that a file imports. */
const localImports = (file: string, source: string): string[] =>
  importsOf(source)
    .filter((name) => name.startsWith('.'))
    .map((name) => join(dirname(file), name).replaceAll('\\', '/'));

describe('arrows', () => {
  test('every part imports only what it may', () => {
    holds('arrows', (file, source) => {
      const part = partOf(file);
      if (part === undefined) return [];
      const may = [part, ...(arrows[part] ?? [])];
      return localImports(file, source)
        .filter((target) => partOf(target) !== undefined && !may.some((place) => fits(target, place)))
        .map((target) => `imports ${target}`);
    });
  });

  test('one system, one database knows nothing of another', () => {
    holds('isolation', (file, source) => {
      const folder = isolated.find((name) => isWithin(file, name) && file.slice(name.length + 1).includes('/'));
      if (folder === undefined) return [];
      const own = `${folder}/${file.slice(folder.length + 1).split('/')[0]}`;
      const isOther = (target: string) =>
        isWithin(target, folder) && target.slice(folder.length + 1).includes('/') && !isWithin(target, own);
      return localImports(file, source)
        .filter(isOther)
        .map((target) => `imports ${target}`);
    });
  });

  test('a library is imported in its place only', () => {
    holds('packages', (file, source) =>
      importsOf(source)
        .filter((name) => !name.startsWith('.') && !name.startsWith('node:'))
        .map((name) =>
          name
            .split('/')
            .slice(0, name.startsWith('@') ? 2 : 1)
            .join('/'),
        )
        .filter((name) => !(packages[name] ?? []).some((place) => isWithin(file, place)))
        .map((name) => `imports ${name}`),
    );
  });

  test('the environment is read where a program starts', () => {
    holds('environment', (file, source) => {
      if (environmentReaders.some((place) => isWithin(file, place))) return [];
      return source.split('\n').flatMap((line, index) =>
        // The line that names the rule is none that breaks it.
        /\bprocess\.env\b/.test(line) && !/^\s*(\*|\/\/|\/\*\*)|\\b/.test(line) ? [`line ${index + 1} reads it`] : [],
      );
    });
  });
});

describe('sizes', () => {
  test(`a function has at most ${functionLinesMax} lines`, () => {
    holds('functionLines', (_file, source) =>
      functionsOf(source)
        .filter(({ lines }) => lines > functionLinesMax)
        .map(({ line, lines }) => `line ${line}: a function of ${lines} lines`),
    );
  });

  test(`a file has at most ${fileLinesMax} lines`, () => {
    holds('fileLines', (file, source) => {
      const lines = source.split('\n').length - 1;
      return lines > fileLinesMax && !file.includes('/generated/') ? [`${lines} lines`] : [];
    });
  });

  test('functions are counted as a reader would', () => {
    const sample = [
      'export function plain(a: string): Promise<{ file: string }> {',
      // biome-ignore lint/suspicious/noTemplateCurlyInString: the sample is code
      '  const text = `${a ? `{ ${a}` : "}"} {`; // }',
      '  return a.replace(/[}"{]/g, () => {',
      '    return text;',
      '  });',
      '}',
      'class Some { get size(): number { return 1; } }',
      'const table = { if: 1 };',
      'if (table) {',
      '}',
    ].join('\n');
    const lines = functionsOf(sample).map(({ line, lines }) => `${line}: ${lines}`);
    expect(lines).toContain('1: 6');
    expect(lines).toContain('3: 3');
    expect(lines).toContain('7: 1');
    expect(lines.filter((entry) => entry.startsWith('8') || entry.startsWith('9'))).toEqual([]);
  });
});

describe('names', () => {
  /** Where convention wants capitals. Cases are named after the table or entity that they are about. */
  const free =
    /(^|\/)(README|CHANGELOG|CONTRIBUTING|SECURITY|NOTICE)\.md$|^(LICENSE|NOTICE|Dockerfile)$|(^|\/)\.[a-z-]+$|\/cases\/|\/fixtures\/|\/secrets\//;

  test('every file is kebab-case', () => {
    const kebab = /^([a-z0-9]+(-[a-z0-9]+)*\/)*[a-z0-9]+(-[a-z0-9]+)*(\.[a-z0-9-]+)+$/;
    // Java names a file after its class
    const java = /^([a-z0-9-]+\/)+[A-Z][A-Za-z0-9]*\.java$/;
    expect(files.filter((file) => !free.test(file) && !kebab.test(file) && !java.test(file))).toEqual([]);
  });

  test('no file hides what it does behind an empty word', () => {
    holds('names', (file) => {
      const words = file.split(/[/.-]/).filter((word) => forbiddenWords.includes(word));
      return words.map((word) => `is called "${word}"`);
    });
  });
});
