import { createInterface } from 'node:readline/promises';
import type { Command } from 'commander';
import { ConfigError, EXIT_CODES } from '../../core/errors.ts';
import {
  type Choice,
  type DeadLetterList,
  listDeadLetters,
  type Unreachable,
} from '../../ops/operations/dead-letters.ts';
import {
  discardDeadLetters,
  type KeyAnswer,
  type KeyPlan,
  planRedrive,
  type RedrivePlan,
  retryDeadLetters,
} from '../../ops/operations/dead-letters-redrive.ts';
import { type ShownLetter, showDeadLetter } from '../../ops/operations/dead-letters-show.ts';
import { confirmed, deploymentOf, withDeployment } from '../deployment-option.ts';
import { seconds } from '../number-option.ts';
import { table } from '../terminal.ts';

type ChoiceOptions = {
  id?: string[];
  system?: string;
  target?: string;
  stage?: string;
  code?: string;
  entity?: string;
};
type ListOptions = ChoiceOptions & { deployment: string; json?: boolean };
type ActOptions = ListOptions & { all?: boolean; yes?: boolean; patience: number };
type RetryOptions = ActOptions & { force?: boolean };
type DiscardOptions = ActOptions & { reason: string };

export function register(program: Command): void {
  const deadLetter = program
    .command('dead-letter')
    .description('records that were refused, and what waits behind them');
  withChoice(withDeployment(deadLetter.command('list')))
    .description('what is set aside, grouped by cause')
    .option('--json', 'print JSON')
    .action(list);
  withDeployment(deadLetter.command('show'))
    .description('one record that is set aside, field by field; personal fields are never shown')
    .argument('<id>', 'as the list shows it')
    .option('--json', 'print JSON')
    .action(show);
  withActing(withChoice(withDeployment(deadLetter.command('retry')), true))
    .description('try records again, whole keys, oldest first; where a newer whole record of a key is fine, it decides')
    .option('--all', 'everything that is set aside')
    .option('--force', 'also records that were refused five times and more')
    .action(retry);
  withActing(withChoice(withDeployment(deadLetter.command('discard')), true))
    .description('give records up, on record; what waits behind them goes on in order')
    .requiredOption('--reason <text>', 'why; it is kept with what was given up')
    .action(discard);
}

function withChoice(command: Command, hasIds = false): Command {
  if (hasIds) command.option('--id <id...>', 'these records');
  return command
    .option('--system <name>', 'changes of this source, or records for this target')
    .option('--target <name>', 'set aside in this target')
    .option('--stage <name>', 'set aside by this stage: canonicalize, flow')
    .option('--code <code>', 'refused for this reason')
    .option('--entity <name>', 'of this entity');
}

function withActing(command: Command): Command {
  return command
    .option('--patience <seconds>', 'how long to wait for the workers to answer', seconds, 30_000)
    .option('--yes', 'do it without asking')
    .option('--json', 'print JSON');
}

async function list(options: ListOptions): Promise<void> {
  const found = await listDeadLetters(await deploymentOf(options), choiceOf(options));
  process.stdout.write(options.json ? `${JSON.stringify(found)}\n` : listText(found));
  if (found.unreachable.length > 0) process.exitCode = EXIT_CODES.unreachable;
}

async function show(id: string, options: ListOptions): Promise<void> {
  const letter = await showDeadLetter(await deploymentOf(options), id);
  process.stdout.write(options.json ? `${JSON.stringify(letter)}\n` : showText(letter));
}

async function retry(options: RetryOptions): Promise<void> {
  const choice = chosen(options, options.all === true);
  const deployment = await deploymentOf(options);
  const plan = await planRedrive(deployment, choice, options.force === true);
  if (!(await isAgreed(plan, options, 'retry'))) return;
  answer(await retryDeadLetters(deployment, plan, { patienceMs: options.patience }), plan, options);
}

async function discard(options: DiscardOptions): Promise<void> {
  const choice = chosen(options, false);
  const reason = options.reason.trim();
  if (reason === '') throw usage('--reason is empty', 'say why these records are given up: it stays on record');
  const deployment = await deploymentOf(options);
  // a discard is no attempt: nothing is too often refused for it
  const plan = await planRedrive(deployment, choice, true);
  if (!(await isAgreed(plan, options, 'discard'))) return;
  const asked = { patienceMs: options.patience, reason };
  answer(await discardDeadLetters(deployment, plan, choice, asked), plan, options);
}

function choiceOf({ id, system, target, stage, code, entity }: ChoiceOptions): Choice {
  return {
    ...(id === undefined ? {} : { ids: id }),
    ...(system === undefined ? {} : { system }),
    ...(target === undefined ? {} : { target }),
    ...(stage === undefined ? {} : { stage }),
    ...(code === undefined ? {} : { code }),
    ...(entity === undefined ? {} : { entity }),
  };
}

/** Everything is never meant by saying nothing. */
function chosen(options: ChoiceOptions, isAll: boolean): Choice {
  const choice = choiceOf(options);
  if (isAll || Object.keys(choice).length > 0) return choice;
  throw usage('no records are chosen', 'name them by --id, --code, --target, --stage, --system or --entity');
}

function usage(message: string, hint: string): ConfigError {
  return new ConfigError({ code: 'OPTION_INVALID', message, where: 'seam dead-letter', hint });
}

/** The plan is printed before anything is asked; JSON keeps to one object on standard output. */
async function isAgreed(plan: RedrivePlan, options: ActOptions, verb: string): Promise<boolean> {
  process.stderr.write(planText(plan, verb));
  if (plan.keys.length === 0) {
    if (options.json)
      process.stdout.write(`${JSON.stringify({ keys: [], answers: [], unreachable: plan.unreachable })}\n`);
    if (plan.unreachable.length > 0) process.exitCode = EXIT_CODES.unreachable;
    return false;
  }
  if (options.yes !== true && process.stdin.isTTY && process.stderr.isTTY) {
    const terminal = createInterface({ input: process.stdin, output: process.stderr });
    const typed = await terminal.question(`${verb} these? [y/N] `);
    terminal.close();
    if (typed.trim().toLowerCase() === 'y') return true;
  }
  return confirmed(options);
}

function answer(answers: readonly KeyAnswer[], { keys, unreachable }: RedrivePlan, options: ActOptions): void {
  process.stdout.write(options.json ? `${JSON.stringify({ keys, answers, unreachable })}\n` : answerText(answers));
  const outcomes = new Set(answers.map(({ outcome }) => outcome));
  if (outcomes.has('not-tried') || unreachable.length > 0) process.exitCode = EXIT_CODES.unreachable;
  else if (outcomes.has('attempts-exhausted')) process.exitCode = EXIT_CODES.refused;
  else if (outcomes.has('refused-again')) process.exitCode = EXIT_CODES.failed;
}

// ---- for people ------------------------------------------------------------------------------------------------------

function listText({
  causes,
  deadLetters,
  waitingBehind,
  waitingForRows,
  discarded,
  unreachable,
}: DeadLetterList): string {
  const blocks = causes.map((cause) => {
    const lines = [
      `${cause.where.kind} ${cause.where.name}: ${cause.entity} ${cause.code}`,
      `  ${cause.reason}`,
      `  ${cause.deadLetters} refused, ${cause.waitingBehind} waiting behind; ${age(cause.oldest)} to ${age(cause.newest)} old; attempts ${cause.attemptsMax}`,
      `  ids: ${cause.ids.join(' ')}${cause.deadLetters > cause.ids.length ? ' …' : ''}`,
    ];
    return `${lines.join('\n')}\n`;
  });
  const total = `${deadLetters} dead letters, ${waitingBehind} waiting behind them, ${waitingForRows} waiting for rows, ${discarded} discarded\n`;
  return `${blocks.join('')}${total}${unreachableText(unreachable)}`;
}

function unreachableText(unreachable: readonly Unreachable[]): string {
  return unreachable
    .map(({ where, message, code }) => `not asked: ${where.kind} ${where.name}: ${message} [${code}]\n`)
    .join('');
}

function showText(letter: ShownLetter): string {
  const { where, place, tried } = letter;
  const lines: [string, string][] = [
    ['id', letter.id],
    ['where', `${where.kind} ${where.name}`],
    ['record', `${place.topic} partition ${place.partition} offset ${place.offset}`],
    ['entity', letter.entity],
    ['key', letter.key.map(({ name, value }) => `${name} ${value}`).join(', ') || 'none'],
    ['state', letter.behind === null ? letter.state : `${letter.state}, behind ${letter.behind}`],
    ['reason', `${letter.reason} [${letter.code}, ${letter.class}]`],
    ...(letter.hint === null ? [] : [['hint', letter.hint] satisfies [string, string]]),
    ['set aside', letter.setAsideAt],
    [
      'attempts',
      tried === null ? String(letter.attempts) : `${letter.attempts}, last asked by ${tried.by} at ${tried.at}`,
    ],
    ['behind it', `${letter.waitingBehind} records`],
  ];
  const contents = letter.contents.map(({ name, value }) => [`  ${name}`, value]);
  const note = letter.note === null ? '' : `${letter.note}\n`;
  return `${table(lines)}\n${contents.length === 0 ? '' : table(contents)}${note}`;
}

function planText({ keys, unreachable }: RedrivePlan, verb: string): string {
  const lines = keys.map((key) => `  ${keyText(key)}\n`);
  const total = `${verb}: ${keys.length} keys\n`;
  return `${total}${lines.join('')}${unreachableText(unreachable)}`;
}

function keyText({ where, entity, ids, waitingBehind, attempts, isExhausted }: KeyPlan): string {
  const left = isExhausted ? `; left out: refused ${attempts} times, --force tries it` : '';
  return `${where.kind} ${where.name} ${entity}: ${ids.join(' ')}, ${waitingBehind} waiting behind${left}`;
}

function answerText(answers: readonly KeyAnswer[]): string {
  return answers
    .map(({ outcome, entity, ids, detail, code }) => {
      return `${outcome}: ${entity} ${ids.join(' ')}: ${detail}${code === null ? '' : ` [${code}]`}\n`;
    })
    .join('');
}

function age(time: string): string {
  const seconds = Math.max(0, Math.round((Date.now() - Date.parse(time)) / 1_000));
  if (seconds < 120) return `${seconds} s`;
  if (seconds < 7_200) return `${Math.round(seconds / 60)} min`;
  return seconds < 172_800 ? `${Math.round(seconds / 3_600)} h` : `${Math.round(seconds / 86_400)} d`;
}
