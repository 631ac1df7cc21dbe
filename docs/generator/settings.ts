/** docs/reference/settings.md: every setting, from the schemas that check it. */
import { z } from 'zod';
import { KafkaSettings } from '../../adapters/kafka/settings.ts';
import { Deployment } from '../../core/deployment.ts';
import { ProcessorSettings, TopicSettings } from '../../processors/settings.ts';
import { SinkSettings } from '../../sinks/engine/settings.ts';
import { code, generatedNotice, table } from './markdown.ts';
import type { SourceFile } from './source-files.ts';

type Section = { readonly name: string; readonly title: string; readonly about: string; readonly schema: z.ZodType };

const sections: readonly Section[] = [
  {
    name: 'Deployment',
    title: 'The deployment file',
    about:
      'One JSON file that says where everything runs, given to every command with `--deployment FILE`. ' +
      '`seam stack up` writes it for the local stack; `deploy/deployment.json` is the one for containers.',
    schema: Deployment,
  },
  { name: 'SinkSettings', title: 'Sinks', about: 'How a sink writes its target.', schema: SinkSettings },
  {
    name: 'ProcessorSettings',
    title: 'Processors',
    about: 'How processors read change events and write canonical records.',
    schema: ProcessorSettings,
  },
  { name: 'TopicSettings', title: 'Topics', about: 'How topics are created.', schema: TopicSettings },
  { name: 'KafkaSettings', title: 'Kafka client', about: 'How every worker talks to Kafka.', schema: KafkaSettings },
];

/** What is read from the environment. A variable found in the code and not here, or the other way round, is an error. */
const environment: Readonly<Record<string, string>> = {
  NODE_OPTIONS:
    "Node's own. What they say of V8's spaces holds for the workers, instead of the bounds `seam run` sets.",
  MALLOC_ARENA_MAX: "The C library's own. Holds for the workers, instead of the bound `seam run` sets.",
  SEAM_DEPLOYMENT: 'Deployment file for commands that are given none.',
  SEAM_STATE: 'State directory of the local stack; `.seam/stack` when it is not set.',
  SEAM_CACHE: "Folder of fetched and unpacked artifacts; the user's cache folder when it is not set.",
  SEAM_MAVEN_URL: 'Maven repository to fetch artifacts from; Maven Central when it is not set.',
  JAVA_HOME: 'The Java to run the local stack with; the first suitable one of `PATH` when it is not set.',
  SEAM_JAVA:
    'With `sustained`, the local stack compiles its Java servers for hours and not for minutes: for benchmarks.',
  XDG_CACHE_HOME: "The user's cache folder, by the convention of Linux.",
  LOCALAPPDATA: "The user's cache folder, by the convention of Windows.",
  NO_COLOR: 'When set, output has no colours.',
  TERM: 'With `dumb`, output has neither colours nor lines that are rewritten.',
  CI: 'When set, output has no lines that are rewritten.',
};

export function settingsPage(sources: readonly SourceFile[]): string {
  refuseUnknown(
    'schema',
    schemasIn(sources),
    sections.map(({ name }) => name),
  );
  refuseUnknown('environment variable', variablesIn(sources), Object.keys(environment));
  const parts = sections.map(
    ({ title, about, schema }) =>
      `## ${title}\n\n${about}\n\n${table(['setting', 'type', 'default', 'meaning'], rowsOf(jsonSchema(schema), ''))}`,
  );
  const variables = table(
    ['variable', 'meaning'],
    Object.entries(environment).map(([name, meaning]) => [code(name), meaning]),
  );
  return [
    generatedNotice,
    '# Settings\n\nUnknown settings are refused, and all faults are listed at once. A `<name>` stands for a name of your own.\n\n',
    parts.join('\n'),
    `\n## Environment\n\n${variables}`,
  ].join('');
}

type JsonSchema = {
  readonly type?: string;
  readonly enum?: readonly unknown[];
  readonly format?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly default?: unknown;
  readonly description?: string;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: JsonSchema | boolean;
  readonly items?: JsonSchema;
};

const jsonSchema = (schema: z.ZodType): JsonSchema => z.toJSONSchema(schema, { io: 'input' }) as JsonSchema;

function rowsOf(schema: JsonSchema, prefix: string): string[][] {
  return Object.entries(schema.properties ?? {}).flatMap(([name, child]) => {
    const path = `${prefix}${name}`;
    if (child.properties !== undefined) return rowsOf(child, `${path}.`);
    const values = child.additionalProperties;
    if (typeof values === 'object' && values.properties !== undefined) return rowsOf(values, `${path}.<name>.`);
    const needed = schema.required?.includes(name) ? 'required' : '';
    const preset = child.default === undefined ? needed : code(JSON.stringify(child.default));
    return [[code(path), typeText(child), preset, child.description ?? '']];
  });
}

function typeText(schema: JsonSchema): string {
  if (schema.enum !== undefined) return schema.enum.map((value) => code(String(value))).join(' or ');
  if (schema.items !== undefined) return `list of ${typeText(schema.items)}`;
  if (typeof schema.additionalProperties === 'object') return `by name: ${typeText(schema.additionalProperties)}`;
  if (schema.format === 'uri') return 'URL';
  return `${schema.type ?? 'any'}${rangeText(schema)}`;
}

function rangeText({ minimum, maximum }: JsonSchema): string {
  const from = minimum === undefined || minimum <= Number.MIN_SAFE_INTEGER ? undefined : minimum;
  const to = maximum === undefined || maximum >= Number.MAX_SAFE_INTEGER ? undefined : maximum;
  if (from === undefined) return to === undefined ? '' : `, at most ${to}`;
  return to === undefined ? `, at least ${from}` : `, ${from} to ${to}`;
}

/** Part of Deployment; what `seam replay plan` writes into its file. */
const notSettings = ['DatabaseAccess', 'Effect', 'Filter', 'ReplayPlan', 'RawPlan'];

/** Every exported schema of settings is documented, or this fails: a new one can't be forgotten. */
function schemasIn(sources: readonly SourceFile[]): string[] {
  const exported = sources.flatMap(({ text }) => [...text.matchAll(/^export const (\w+) = z\.strictObject/gm)]);
  return exported.map(([, name]) => name as string).filter((name) => !notSettings.includes(name));
}

function variablesIn(sources: readonly SourceFile[]): string[] {
  const read = /\b(?:process\.env|environment)(?:\.([A-Z_]+)\b|\['([A-Z_]+)'\])/g;
  const names = sources.flatMap(({ text }) => [...text.matchAll(read)].map(([, plain, quoted]) => plain ?? quoted));
  return [...new Set(names as string[])];
}

function refuseUnknown(kind: string, found: readonly string[], documented: readonly string[]): void {
  const missing = found.filter((name) => !documented.includes(name));
  const gone = documented.filter((name) => !found.includes(name));
  if (missing.length + gone.length === 0) return;
  throw new Error(`docs/generator/settings.ts: ${kind} without text: ${missing}; with text and gone: ${gone}`);
}
