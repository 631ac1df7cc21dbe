import type { z } from 'zod';
import { ConfigError } from './errors.ts';

/** Checks a whole configuration and lists every fault at once; nothing has been started by then. */
export function parseConfig<Schema extends z.ZodType>(schema: Schema, input: unknown, where: string): z.output<Schema> {
  const result = schema.safeParse(input);
  if (result.success) return result.data;
  const faults = result.error.issues.map((issue) => `${issue.path.join('.') || '(whole)'}: ${faultText(issue)}`);
  throw new ConfigError({
    code: 'CONFIG_INVALID',
    message: `${faults.length} fault${faults.length === 1 ? '' : 's'} in the configuration\n${faults.map((f) => `    - ${f}`).join('\n')}`,
    where,
    hint: 'every setting with its type and default: docs/reference/settings.md',
  });
}

function faultText(issue: z.core.$ZodIssue): string {
  if (issue.code === 'unrecognized_keys') return `unknown setting ${issue.keys.map((key) => `"${key}"`).join(', ')}`;
  if (issue.code === 'invalid_type' && issue.input === undefined) return `missing, expected ${issue.expected}`;
  return issue.message;
}
